import { list, map, type Shape, struct } from '../shape.ts';
import { labels } from './common.ts';

/** `docker network inspect`. */
export const networkShape: Shape = struct('network.Inspect', {
  Name: 'string',
  'ID:Id': 'string',
  Created: 'time',
  Scope: 'string',
  Driver: 'string',
  EnableIPv4: 'bool',
  EnableIPv6: 'bool',
  IPAM: struct('network.IPAM', {
    Driver: 'string',
    Options: labels,
    Config: list(
      struct('network.IPAMConfig', {
        'Subnet?': 'string',
        'IPRange?': 'string',
        'Gateway?': 'string',
        'AuxAddress:AuxiliaryAddresses?': labels,
      }),
    ),
  }),
  Internal: 'bool',
  Attachable: 'bool',
  Ingress: 'bool',
  ConfigFrom: struct('network.ConfigReference', { Network: 'string' }),
  ConfigOnly: 'bool',
  Containers: map(
    struct('network.EndpointResource', {
      Name: 'string',
      EndpointID: 'string',
      MacAddress: 'string',
      IPv4Address: 'string',
      IPv6Address: 'string',
    }),
  ),
  Options: labels,
  Labels: labels,
  'Peers?': list('any'),
  'Services?': map('any'),
});
