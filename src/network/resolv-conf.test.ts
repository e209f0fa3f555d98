import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ResolvConfInput, resolvConf } from './resolv-conf.ts';

function lines(input: Partial<ResolvConfInput>): string[] {
  const text = resolvConf({ host: '', dns: [], search: [], options: [], ...input });
  assert.ok(text.endsWith('\n'));
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

const host = `
# comment
nameserver 127.0.0.53   ; local stub
nameserver 10.0.0.53
nameserver nonsense
domain old.example
search corp.example  lab.example
options edns0
options trust-ad # why not
sortlist 130.155.160.0
`;

test('resolvConf: passes on what the host has, without resolvers on its loopback', () => {
  assert.deepEqual(lines({ host }), [
    'nameserver 10.0.0.53',
    'search corp.example lab.example',
    'options edns0 trust-ad',
  ]);
});

test('resolvConf: in the host network the local resolver stays', () => {
  assert.deepEqual(lines({ host, hostNetwork: true }).slice(0, 2), [
    'nameserver 127.0.0.53',
    'nameserver 10.0.0.53',
  ]);
});

test('resolvConf: public servers take over if the host has only local ones', () => {
  for (const text of ['', 'nameserver 127.0.0.53\nnameserver ::1\n']) {
    assert.deepEqual(lines({ host: text }), ['nameserver 8.8.8.8', 'nameserver 8.8.4.4']);
  }
  assert.deepEqual(lines({ host: '', hostNetwork: true }), []);
});

test('resolvConf: each kind of setting replaces the host lines of that kind only', () => {
  assert.deepEqual(lines({ host, dns: ['1.1.1.1', '2606:4700::1111'] }), [
    'nameserver 1.1.1.1',
    'nameserver 2606:4700::1111',
    'search corp.example lab.example',
    'options edns0 trust-ad',
  ]);
  assert.deepEqual(lines({ host, search: ['a.b'], options: ['ndots:2'] }), [
    'nameserver 10.0.0.53',
    'search a.b',
    'options ndots:2',
  ]);
});

test('resolvConf: a search domain "." means none', () => {
  assert.deepEqual(lines({ host: 'nameserver 9.9.9.9\nsearch x.y', search: ['.'] }), ['nameserver 9.9.9.9']);
});

test('resolvConf: a link-local IPv6 server keeps its zone', () => {
  assert.deepEqual(lines({ host: 'nameserver fe80::1%eth0' }), ['nameserver fe80::1%eth0']);
});
