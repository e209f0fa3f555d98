import { importImage } from '#/client/images.ts';
import { parseReference } from '#/oci/reference.ts';
import { type Command, defineCommand } from '../../command.ts';
import { listFlag, stringFlag } from '../../flags/flag.ts';
import { openFile } from '../../open-file.ts';
import { showProgress } from '../../progress/show.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] file|URL|- [REPOSITORY[:TAG]]',
  arity: { min: 1 },
  flags: {
    change: listFlag('Apply a Dockerfile instruction to the image', { short: 'c' }),
    message: stringFlag('Comment of the image', { short: 'm' }),
    platform: stringFlag('Platform of the image (os[/arch[/variant]])'),
  },
  async run(ctx, { flags, args: [source = '', name = ''] }) {
    if (name !== '') parseReference(name);
    const isRemote = /^https?:\/\//.test(source);
    const body = isRemote ? undefined : source === '-' ? ctx.stdin : await openFile(source);
    const answer = await importImage(
      ctx.client,
      {
        source: isRemote ? source : '-',
        repository: name,
        tag: '',
        message: flags.message,
        changes: flags.change,
        platform: flags.platform || ctx.env['DOCKER_DEFAULT_PLATFORM'] || '',
      },
      body,
    );
    await showProgress(answer, { output: ctx.stdout, env: ctx.env });
  },
});
