import { inspectVolume } from '#/client/volumes.ts';
import { type Command, defineCommand } from '../../command.ts';
import { stringFlag } from '../../flags/flag.ts';
import { inspectAll } from '../../format/inspect.ts';
import { volumeShape } from '../../format/shapes/volume.ts';
import { inspectFormatUsage } from '../../usage-texts.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  arity: { min: 1 },
  flags: { format: stringFlag(inspectFormatUsage, { short: 'f' }) },
  async run(ctx, { flags, args }) {
    await inspectAll(ctx, args, {
      format: flags.format,
      find: async (name) => ({ raw: await inspectVolume(ctx.client, name), shape: volumeShape }),
    });
  },
});
