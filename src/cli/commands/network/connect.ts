import { connectNetwork } from '#/client/networks.ts';
import { type Command, defineCommand } from '../../command.ts';
import { toMap } from '../../container-options/key-values.ts';
import { checkLink } from '../../container-options/validators.ts';
import { intFlag, listFlag, stringFlag } from '../../flags/flag.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] NETWORK CONTAINER',
  arity: { min: 2, max: 2 },
  flags: {
    alias: listFlag('Another name of the container in the network', { type: 'strings' }),
    'driver-opt': listFlag('Option of the driver (name=value)', { type: 'strings' }),
    'gw-priority': intFlag('The network with the highest one has the default route'),
    ip: stringFlag('IPv4 address'),
    ip6: stringFlag('IPv6 address'),
    link: listFlag('Link to another container (name:alias)', { check: checkLink }),
    'link-local-ip': listFlag('Link-local address', { type: 'strings' }),
  },
  async run({ client }, { flags, args: [network = '', container = ''] }) {
    const lists = (texts: readonly string[]): string[] => texts.flatMap((text) => text.split(','));
    if (lists(flags['driver-opt']).some((option) => !/^[^=]+=/.test(option))) {
      throw new Error('invalid key/value pair format in driver options');
    }
    await connectNetwork(client, network, {
      Container: container,
      EndpointConfig: {
        IPAMConfig: {
          ...(flags.ip !== '' && { IPv4Address: flags.ip }),
          ...(flags.ip6 !== '' && { IPv6Address: flags.ip6 }),
          ...(flags['link-local-ip'].length > 0 && { LinkLocalIPs: lists(flags['link-local-ip']) }),
        },
        Links: flags.link.length > 0 ? flags.link : null,
        Aliases: lists(flags.alias),
        DriverOpts: toMap(lists(flags['driver-opt'])),
        GwPriority: flags['gw-priority'],
      },
    });
  },
});
