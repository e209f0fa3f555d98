import { inspectContainer } from '#/client/containers.ts';
import { type Command, defineCommand } from '../../command.ts';
import { boolFlag, stringFlag } from '../../flags/flag.ts';
import { inspectAll } from '../../format/inspect.ts';
import { containerShape } from '../../format/shapes/container.ts';
import { inspectFormatUsage } from '../../usage-texts.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  arity: { min: 1 },
  flags: {
    format: stringFlag(inspectFormatUsage, { short: 'f' }),
    size: boolFlag('Add disk usage', { short: 's' }),
  },
  async run(ctx, { flags, args }) {
    await inspectAll(ctx, args, {
      format: flags.format,
      find: async (name) => ({ raw: await inspectContainer(ctx.client, name, flags), shape: containerShape }),
    });
  },
});
