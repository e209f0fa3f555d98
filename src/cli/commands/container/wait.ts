import { messageOf } from '#/base/errors.ts';
import { waitContainer } from '#/client/containers.ts';
import { type Command, defineCommand, ExitError } from '../../command.ts';

export const command: Command = defineCommand({
  usage: 'CONTAINER [CONTAINER...]',
  arity: { min: 1 },
  flags: {},
  async run({ client, stdout }, { args }) {
    const failures: string[] = [];
    for (const name of args) {
      try {
        const { result } = await waitContainer(client, name);
        stdout.write(`${(await result).StatusCode}\n`);
      } catch (error) {
        failures.push(messageOf(error));
      }
    }
    if (failures.length > 0) throw new ExitError(1, failures.join('\n'));
  },
});
