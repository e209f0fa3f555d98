import { messageOf } from '#/base/errors.ts';
import { isNotFound } from '#/client/errors.ts';
import { removeNetwork } from '#/client/networks.ts';
import { type Command, defineCommand, ExitError } from '../../command.ts';
import { boolFlag } from '../../flags/flag.ts';

export const command: Command = defineCommand({
  usage: 'NETWORK [NETWORK...]',
  arity: { min: 1 },
  flags: { force: boolFlag('No error if it does not exist', { short: 'f' }) },
  async run({ client, stdout, stderr }, { flags, args }) {
    let failed = false;
    for (const name of args) {
      try {
        await removeNetwork(client, name);
        stdout.write(`${name}\n`);
      } catch (error) {
        if (flags.force && isNotFound(error)) continue;
        stderr.write(`${messageOf(error)}\n`);
        failed = true;
      }
    }
    if (failed) throw new ExitError(1, 'exit status 1');
  },
});
