import type { Readable } from 'node:stream';
import { loadImages } from '#/client/images.ts';
import { type Command, type Context, defineCommand } from '../../command.ts';
import { boolFlag, stringFlag } from '../../flags/flag.ts';
import { openFile } from '../../open-file.ts';
import { platformQuery } from '../../platforms.ts';
import { showProgress } from '../../progress/show.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS]',
  arity: { max: 0 },
  flags: {
    input: stringFlag('Read this file instead of standard input', { short: 'i' }),
    platform: stringFlag('Load only this variant (os[/arch[/variant]])'),
    quiet: boolFlag('Do not show progress', { short: 'q' }),
  },
  async run(ctx, { flags }) {
    const archive = await openArchive(ctx, flags.input);
    const quiet = flags.quiet || !ctx.stdout.isTTY;
    const body = await loadImages(ctx.client, archive, { quiet, platform: platformQuery(flags.platform) });
    await showProgress(body, { output: ctx.stdout, env: ctx.env });
  },
});

async function openArchive({ stdin }: Context, path: string): Promise<Readable> {
  if (path === '') {
    if (stdin.isTTY === true) throw new Error('requested load from stdin, but stdin is empty');
    return stdin;
  }
  return openFile(path);
}
