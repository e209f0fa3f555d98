import { inspectImage } from '#/client/images.ts';
import { type Command, defineCommand } from '../../command.ts';
import { stringFlag } from '../../flags/flag.ts';
import { inspectAll } from '../../format/inspect.ts';
import { imageShape } from '../../format/shapes/image.ts';
import { inspectFormatUsage } from '../../usage-texts.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  arity: { min: 1 },
  flags: { format: stringFlag(inspectFormatUsage, { short: 'f' }) },
  async run(ctx, { flags, args }) {
    await inspectAll(ctx, args, {
      format: flags.format,
      find: async (name) => ({ raw: await inspectImage(ctx.client, name), shape: imageShape }),
    });
  },
});
