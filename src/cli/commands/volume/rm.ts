import { messageOf } from '#/base/errors.ts';
import { removeVolume } from '#/client/volumes.ts';
import { type Command, defineCommand, ExitError } from '../../command.ts';
import { boolFlag } from '../../flags/flag.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  description: 'Remove volumes. A volume that a container uses stays.',
  arity: { min: 1 },
  flags: { force: boolFlag('No error if it does not exist', { short: 'f' }) },
  async run({ client, stdout }, { flags, args }) {
    const failures: string[] = [];
    for (const name of args) {
      try {
        await removeVolume(client, name, flags);
        stdout.write(`${name}\n`);
      } catch (error) {
        failures.push(messageOf(error));
      }
    }
    if (failures.length > 0) throw new ExitError(1, failures.join('\n'));
  },
});
