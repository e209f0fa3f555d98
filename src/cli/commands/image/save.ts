import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { saveImages } from '#/client/images.ts';
import { type Command, defineCommand } from '../../command.ts';
import { stringFlag } from '../../flags/flag.ts';
import { platformQuery } from '../../platforms.ts';
import { copyBytes } from '../../streams.ts';
import { goMessage } from '../../system-errors.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  arity: { min: 1 },
  flags: {
    output: stringFlag('Write to this file instead of standard output', { short: 'o' }),
    platform: stringFlag('Save only this variant (os[/arch[/variant]])'),
  },
  async run({ client, stdout }, { flags, args }) {
    if (flags.output === '' && stdout.isTTY) {
      throw new Error('cowardly refusing to save to a terminal. Use the -o flag or redirect');
    }
    if (flags.output !== '') await checkOutput(flags.output);
    const body = await saveImages(client, args, { platform: platformQuery(flags.platform) });
    if (flags.output === '') {
      await copyBytes(body, stdout.stream);
      return;
    }
    // The name appears when the archive is complete.
    const draft = `${flags.output}.part-${process.pid}`;
    try {
      await pipeline(body, createWriteStream(draft, { mode: 0o600, flags: 'wx' }));
      await rename(draft, flags.output);
    } catch (error) {
      await rm(draft, { force: true });
      throw new Error(`failed to save image: ${goMessage(error)}`, {
        cause: error,
      });
    }
  },
});

/** Before the daemon starts to pack. */
async function checkOutput(path: string): Promise<void> {
  try {
    await stat(dirname(path));
  } catch (error) {
    throw new Error(`failed to save image: invalid output path: ${goMessage(error)}`, { cause: error });
  }
}
