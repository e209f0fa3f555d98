import assert from 'node:assert/strict';
import { SocketAddress } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressBytes, formatAddress } from './ip-address.ts';

test('addressBytes: reads both families', () => {
  assert.deepEqual([...addressBytes('10.0.2.255')], [10, 0, 2, 255]);
  assert.equal(addressBytes('::').toString('hex'), '0'.repeat(32));
  assert.equal(addressBytes('2001:db8::1').toString('hex'), '20010db8000000000000000000000001');
  assert.equal(addressBytes('1::').toString('hex'), `0001${'0'.repeat(28)}`);
  assert.equal(addressBytes('1:2:3:4:5:6:7:8').toString('hex'), '00010002000300040005000600070008');
  assert.equal(addressBytes('::ffff:1.2.3.4').toString('hex'), '00000000000000000000ffff01020304');
});

test('addressBytes: refuses what is no address', () => {
  for (const wrong of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '1::2::3',
    'fe80::1%eth0',
    '10.0.0.1/8',
    'localhost',
  ]) {
    assert.throws(() => addressBytes(wrong), { kind: 'invalid' }, wrong);
  }
});

test('formatAddress: writes what the C library writes, and addressBytes reads it back', () => {
  const group = fc.oneof(fc.constant([0, 0]), fc.tuple(fc.nat(255), fc.nat(255)));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      const bytes = Buffer.from(groups.flat());
      // The deprecated "IPv4-compatible" form ::1.2.3.4 is the one thing that differs, on purpose.
      fc.pre(bytes.subarray(0, 12).some((byte) => byte !== 0));
      const text = formatAddress(bytes);
      assert.equal(text, new SocketAddress({ address: text, family: 'ipv6' }).address);
      assert.deepEqual(addressBytes(text), bytes);
    }),
  );
  fc.assert(
    fc.property(fc.ipV4(), (ip) => {
      assert.equal(formatAddress(addressBytes(ip)), ip);
    }),
  );
});

test('formatAddress: refuses other lengths', () => {
  assert.throws(() => formatAddress(Buffer.alloc(6)), RangeError);
});
