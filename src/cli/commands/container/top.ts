import { containerTop } from '#/client/containers.ts';
import { type Command, defineCommand } from '../../command.ts';
import { alignColumns } from '../../format/tabwriter.ts';

export const command: Command = defineCommand({
  usage: 'CONTAINER [ps OPTIONS]',
  arity: { min: 1 },
  interspersed: false,
  flags: {},
  async run({ client, stdout }, { args }) {
    const [name = '', ...psArgs] = args;
    const { Titles, Processes } = await containerTop(client, name, psArgs.join(' '));
    const lines = [Titles, ...Processes].map((row) => `${row.join('\t')}\n`);
    stdout.write(alignColumns(lines.join(''), { minWidth: 20, padding: 3 }));
  },
});
