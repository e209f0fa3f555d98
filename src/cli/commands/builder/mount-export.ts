import { exportCacheMount } from '#/client/build.ts';
import { type Command, defineCommand } from '../../command.ts';
import { stringFlag } from '../../flags/flag.ts';
import { saveArchive } from '../../save-archive.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] CACHEMOUNT',
  arity: { min: 1, max: 1 },
  flags: {
    output: stringFlag('Write to this file instead of standard output', { short: 'o' }),
  },
  async run({ client, stdout }, { flags, args: [id = ''] }) {
    await saveArchive({ stdout, output: flags.output, what: 'cache mount' }, () =>
      exportCacheMount(client, id),
    );
  },
});
