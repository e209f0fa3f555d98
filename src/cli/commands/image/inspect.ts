import { inspectImage } from '#/client/images.ts';
import { type Command, defineCommand } from '../../command.ts';
import { stringFlag } from '../../flags/flag.ts';
import { inspectAll } from '../../format/inspect.ts';
import { imageShape } from '../../format/shapes/image.ts';
import { platformQuery } from '../../platforms.ts';
import { inspectFormatUsage } from '../../usage-texts.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  arity: { min: 1 },
  flags: {
    format: stringFlag(inspectFormatUsage, { short: 'f' }),
    platform: stringFlag('This variant of the image (os[/arch[/variant]])'),
  },
  async run(ctx, { flags, args }) {
    const platform = platformQuery(flags.platform);
    await inspectAll(ctx, args, {
      format: flags.format,
      find: async (name) => ({ raw: await inspectImage(ctx.client, name, { platform }), shape: imageShape }),
    });
  },
});
