import { disconnectNetwork } from '#/client/networks.ts';
import { type Command, defineCommand } from '../../command.ts';
import { boolFlag } from '../../flags/flag.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] NETWORK CONTAINER',
  arity: { min: 2, max: 2 },
  flags: { force: boolFlag('Even if the container does not answer', { short: 'f' }) },
  async run({ client }, { flags, args: [network = '', container = ''] }) {
    await disconnectNetwork(client, network, { Container: container, Force: flags.force });
  },
});
