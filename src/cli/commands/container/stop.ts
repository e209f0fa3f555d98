import { stopContainer } from '#/client/containers.ts';
import { type Command, defineCommand } from '../../command.ts';
import { aliasOf, intFlag, stringFlag } from '../../flags/flag.ts';
import { forEachName } from '../../parallel.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  arity: { min: 1 },
  flags: {
    signal: stringFlag("Signal to send instead of the container's own", { short: 's' }),
    timeout: intFlag('Seconds to wait before SIGKILL; -1 waits for ever', { short: 't' }),
    time: aliasOf('timeout'),
  },
  async run(ctx, { flags, given, args }) {
    const timeout = given.has('timeout') ? flags.timeout : undefined;
    await forEachName(ctx, args, (name) =>
      stopContainer(ctx.client, name, { signal: flags.signal || undefined, timeout }),
    );
  },
});
