import { createNetwork } from '#/client/networks.ts';
import { type Command, defineCommand } from '../../command.ts';
import { checkLabel, toMap } from '../../container-options/key-values.ts';
import { boolFlag, listFlag, mapFlag, stringFlag } from '../../flags/flag.ts';
import { ipamPools } from '../../ipam-pools.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] NETWORK',
  arity: { min: 1, max: 1 },
  flags: {
    attachable: boolFlag('Let containers join that are not part of a service'),
    'aux-address': mapFlag('Address that the driver uses (name=address)'),
    'config-from': stringFlag('Network to take the configuration from'),
    'config-only': boolFlag('Make a configuration only'),
    driver: stringFlag('Driver of the network', { short: 'd', initial: 'bridge' }),
    gateway: listFlag('Gateway of a subnet', { type: 'strings' }),
    ingress: boolFlag('Make a routing mesh'),
    internal: boolFlag('No way to the outside'),
    'ip-range': listFlag('Part of a subnet that containers get addresses from', { type: 'strings' }),
    'ipam-driver': stringFlag('Driver that hands out addresses', { initial: 'default' }),
    'ipam-opt': mapFlag('Option of that driver (name=value)'),
    ipv4: boolFlag('Hand out IPv4 addresses', { initial: true }),
    ipv6: boolFlag('Hand out IPv6 addresses'),
    label: listFlag('Set a label (name=value)', { check: checkLabel }),
    opt: mapFlag('Option of the driver (name=value)', { short: 'o' }),
    scope: stringFlag('Scope of the network'),
    subnet: listFlag('Subnet in CIDR form', { type: 'strings' }),
  },
  async run({ client, stdout }, { flags, given, args: [name = ''] }) {
    const lists = (texts: readonly string[]): string[] => texts.flatMap((text) => text.split(','));
    const { Id } = await createNetwork(client, {
      Name: name,
      Driver: flags.driver,
      Scope: flags.scope,
      ...(given.has('ipv4') && { EnableIPv4: flags.ipv4 }),
      ...(given.has('ipv6') && { EnableIPv6: flags.ipv6 }),
      IPAM: {
        Driver: flags['ipam-driver'],
        Options: flags['ipam-opt'],
        Config: ipamPools({
          subnets: lists(flags.subnet),
          ranges: lists(flags['ip-range']),
          gateways: lists(flags.gateway),
          auxiliary: flags['aux-address'],
        }),
      },
      Internal: flags.internal,
      Attachable: flags.attachable,
      Ingress: flags.ingress,
      ConfigOnly: flags['config-only'],
      ConfigFrom: flags['config-from'] === '' ? null : { Network: flags['config-from'] },
      Options: flags.opt,
      Labels: toMap(flags.label),
    });
    stdout.write(`${Id}\n`);
  },
});
