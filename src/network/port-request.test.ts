import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isKind } from '#/base/errors.ts';
import { parseContainerPort, parsePortBinding } from './port-request.ts';

test('parsePortBinding: reads a port, a range, an address', () => {
  const cases = [
    ['80/tcp', '', '8080', { protocol: 'tcp', containerPort: 80, hostPorts: { first: 8080, last: 8080 } }],
    ['53/udp', '10.0.0.1', '', { protocol: 'udp', containerPort: 53, hostIp: '10.0.0.1' }],
    ['80', '', '0', { protocol: 'tcp', containerPort: 80 }],
    [
      '9/sctp',
      '',
      '8000-8005',
      { protocol: 'sctp', containerPort: 9, hostPorts: { first: 8000, last: 8005 } },
    ],
  ] as const;
  for (const [port, hostIp, hostPort, expected] of cases) {
    assert.deepEqual(parsePortBinding(port, { hostIp, hostPort }), expected);
  }
});

test('parsePortBinding: names the part that is wrong', () => {
  const cases = [
    ['80/tcp', '', 'abc', '"abc"'],
    ['80/tcp', '', '70000', '"70000"'],
    ['80/tcp', '', '90-80', '"90-80"'],
    ['80/tcp', '', '0-80', '"0-80"'],
    ['80/tcp', '', '1-2-3', '"1-2-3"'],
    ['80/tcp', '', '-', '"-"'],
    ['80/tcp', '1.2.3', '80', '"1.2.3"'],
    ['80/foo', '', '80', '"80/foo"'],
    ['80-81/tcp', '', '80', '"80-81"'],
    ['x/tcp', '', '80', '"x"'],
    ['0', '', '80', '"0"'],
  ] as const;
  for (const [port, hostIp, hostPort, named] of cases) {
    assert.throws(
      () => parsePortBinding(port, { hostIp, hostPort }),
      (error) => isKind(error, 'invalid') && error.message.endsWith(named),
      named,
    );
  }
});

test('parsePortBinding: IPv6 is refused as not there yet, not as wrong', () => {
  assert.throws(
    () => parsePortBinding('80/tcp', { hostIp: '::1', hostPort: '80' }),
    (error) => isKind(error, 'notImplemented'),
  );
});

test('parseContainerPort: the protocol is tcp if none is given', () => {
  assert.deepEqual(parseContainerPort('8080'), { protocol: 'tcp', port: 8080 });
  assert.deepEqual(parseContainerPort('8080/UDP'), { protocol: 'udp', port: 8080 });
});
