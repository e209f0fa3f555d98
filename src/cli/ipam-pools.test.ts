import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AddressFlags, ipamPools } from './ipam-pools.ts';

const none: AddressFlags = { subnets: [], ranges: [], gateways: [], auxiliary: {} };

test('ipamPools: each address goes to its subnet', () => {
  assert.deepEqual(
    ipamPools({
      subnets: ['10.1.0.0/16', 'fd00::/64'],
      ranges: ['10.1.5.0/24'],
      gateways: ['fd00::1', '10.1.0.1'],
      auxiliary: { router: '10.1.0.2' },
    }),
    [
      {
        Subnet: '10.1.0.0/16',
        IPRange: '10.1.5.0/24',
        Gateway: '10.1.0.1',
        AuxiliaryAddresses: { router: '10.1.0.2' },
      },
      { Subnet: 'fd00::/64', Gateway: 'fd00::1' },
    ],
  );
});

test('ipamPools: says what does not fit', () => {
  const cases: [Partial<AddressFlags>, string][] = [
    [{ gateways: ['10.0.0.1'] }, 'every ip-range or gateway must have a corresponding subnet'],
    [
      { subnets: ['10.1.0.0/16', '10.1.2.0/24'] },
      'multiple overlapping subnet configuration is not supported',
    ],
    [{ subnets: ['10.1.0.0/16'], gateways: ['10.2.0.1'] }, 'no matching subnet for gateway 10.2.0.1'],
    [{ subnets: ['10.1.0.0/16'], ranges: ['10.2.0.0/24'] }, 'no matching subnet for range 10.2.0.0/24'],
    [{ subnets: ['x'], gateways: ['10.2.0.1'] }, 'invalid subnet: invalid CIDR address: x'],
  ];
  for (const [flags, message] of cases) assert.throws(() => ipamPools({ ...none, ...flags }), { message });
});
