import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseExpose, readExposed } from './expose.ts';

test('parseExpose: ports, ranges, protocols, and what is in front of them', () => {
  const cases: Readonly<Record<string, readonly string[]>> = {
    '80': ['80/tcp'],
    '80/UDP': ['80/udp'],
    '80/': ['80/tcp'],
    '8080-8082/sctp': ['8080/sctp', '8081/sctp', '8082/sctp'],
    '0': ['0/tcp'],
    '127.0.0.1:90:80': ['80/tcp'],
    '[::1]:90:80': ['80/tcp'],
    '90-91:80': ['80/tcp'],
    ':80': ['80/tcp'],
  };
  for (const [word, ports] of Object.entries(cases)) assert.deepEqual(parseExpose([word]), ports, word);
  assert.deepEqual(parseExpose(['80', '79-81', '80/udp']), [
    '80/tcp',
    '79/tcp',
    '80/tcp',
    '81/tcp',
    '80/udp',
  ]);
  assert.deepEqual(
    ['80', ':80', '1:80', '::1:1:80'].map((word) => readExposed(word).hasHostPart),
    [false, false, true, true],
  );
});

test('parseExpose: refuses in the words of BuildKit', () => {
  const wrong: Readonly<Record<string, string>> = {
    x: 'invalid containerPort: x',
    '70000': 'invalid containerPort: 70000',
    '80-70': 'invalid containerPort: 80-70',
    '80/foo': 'invalid port: "80/foo": invalid proto: foo',
    '80/tcp/udp': 'invalid port: "80/tcp/udp": invalid proto: tcp/udp',
    '/tcp': 'invalid port: "/tcp": no port specified',
    '1.2.3:80:80': 'invalid IP address: 1.2.3',
    'a:80': 'invalid hostPort: a',
    '80:90-91': 'invalid ranges specified for container and host Ports: 90-91 and 80',
  };
  for (const [word, message] of Object.entries(wrong)) {
    assert.throws(() => parseExpose([word]), { kind: 'invalid', message }, word);
  }
});

test('parseExpose: has a limit', () => {
  const words = Array.from({ length: 8000 }, () => '1-65535');
  assert.throws(() => parseExpose(words), { kind: 'invalid', message: /more than 262144/ });
});
