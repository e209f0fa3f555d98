import { killContainer } from '#/client/containers.ts';
import { type Command, defineCommand } from '../../command.ts';
import { stringFlag } from '../../flags/flag.ts';
import { forEachName } from '../../parallel.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  arity: { min: 1 },
  flags: { signal: stringFlag('Signal to send, by name or number', { short: 's' }) },
  async run(ctx, { flags, args }) {
    await forEachName(ctx, args, (name) => killContainer(ctx.client, name, flags.signal));
  },
});
