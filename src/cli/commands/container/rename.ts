import { messageOf } from '#/base/errors.ts';
import { renameContainer } from '#/client/containers.ts';
import { type Command, defineCommand } from '../../command.ts';

export const command: Command = defineCommand({
  usage: 'CONTAINER NEW_NAME',
  arity: { min: 2, max: 2 },
  flags: {},
  async run({ client, stderr }, { args }) {
    const [from = '', to = ''] = args.map((name) => name.trim());
    if (from === '' || to === '') throw new Error('Error: Neither old nor new names may be empty');
    try {
      await renameContainer(client, from, to);
    } catch (error) {
      stderr.write(`${messageOf(error)}\n`);
      throw new Error(`Error: failed to rename container named ${from}`, { cause: error });
    }
  },
});
