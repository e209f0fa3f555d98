import { importCacheMount } from '#/client/build.ts';
import { type Command, defineCommand } from '../../command.ts';
import { openFile } from '../../open-file.ts';

export const command: Command = defineCommand({
  usage: 'FILE|-',
  arity: { min: 1, max: 1 },
  flags: {},
  async run({ client, stdin, stdout }, { args: [source = ''] }) {
    const { ID } = await importCacheMount(client, source === '-' ? stdin : await openFile(source));
    stdout.write(`${ID}\n`);
  },
});
