import assert from 'node:assert/strict';
import { test } from 'node:test';
import { displayPorts } from './ports.ts';

const tcp = (PrivatePort: number, rest: object = {}) => ({ PrivatePort, Type: 'tcp', ...rest });

test('displayPorts: exposed ports, published ports, ranges', () => {
  assert.equal(displayPorts([]), '');
  assert.equal(displayPorts([tcp(80)]), '80/tcp');
  assert.equal(displayPorts([tcp(82), tcp(80), tcp(81), tcp(90)]), '80-82/tcp, 90/tcp');
  assert.equal(
    displayPorts([tcp(80, { IP: '0.0.0.0', PublicPort: 8080 }), tcp(80, { IP: '::', PublicPort: 8080 })]),
    '0.0.0.0:8080->80/tcp, [::]:8080->80/tcp',
  );
  assert.equal(
    displayPorts([tcp(80, { IP: '0.0.0.0', PublicPort: 80 }), tcp(81, { IP: '0.0.0.0', PublicPort: 81 })]),
    '0.0.0.0:80-81->80-81/tcp',
  );
  assert.equal(displayPorts([tcp(53), { PrivatePort: 53, Type: 'udp' }]), '53/tcp, 53/udp');
});
