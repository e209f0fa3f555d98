import { saveImages } from '#/client/images.ts';
import { type Command, defineCommand } from '../../command.ts';
import { stringFlag } from '../../flags/flag.ts';
import { platformQuery } from '../../platforms.ts';
import { saveArchive } from '../../save-archive.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  arity: { min: 1 },
  flags: {
    output: stringFlag('Write to this file instead of standard output', { short: 'o' }),
    platform: stringFlag('Save only this variant (os[/arch[/variant]])'),
  },
  async run({ client, stdout }, { flags, args }) {
    const platform = platformQuery(flags.platform);
    const target = { stdout, output: flags.output, what: 'image' };
    await saveArchive(target, () => saveImages(client, args, { platform }));
  },
});
