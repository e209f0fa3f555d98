import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type HostsFileInput, hostsFile, splitExtraHost } from './hosts-file.ts';

function extra(input: Partial<HostsFileInput>): string[] {
  const text = hostsFile({ hostname: 'c1', domainname: '', addresses: [], extraHosts: [], ...input });
  const lines = text.split('\n');
  assert.equal(lines[0], '127.0.0.1\tlocalhost');
  assert.equal(lines.at(-1), '');
  return lines.slice(6, -1);
}

test('hostsFile: the container finds itself by name in each network', () => {
  assert.deepEqual(extra({ addresses: ['172.17.0.2', '172.18.0.2'] }), ['172.17.0.2\tc1', '172.18.0.2\tc1']);
  assert.deepEqual(extra({}), []);
});

test('hostsFile: a domain gives a full and a short name, wherever it stands', () => {
  const addresses = ['172.17.0.2'];
  const expected = ['172.17.0.2\tfoo.example.com foo'];
  assert.deepEqual(extra({ hostname: 'foo', domainname: 'example.com', addresses }), expected);
  assert.deepEqual(extra({ hostname: 'foo.example.com', addresses }), expected);
});

test('hostsFile: extra hosts come before the own names, host-gateway is replaced', () => {
  const extraHosts = ['h:1.2.3.4', 'g:host-gateway', 'six=[2001:db8::1]', 'seven:2001:db8::2'];
  assert.deepEqual(extra({ extraHosts, gateway: '172.17.0.1', addresses: ['172.17.0.2'] }), [
    '1.2.3.4\th',
    '172.17.0.1\tg',
    '2001:db8::1\tsix',
    '2001:db8::2\tseven',
    '172.17.0.2\tc1',
  ]);
  assert.deepEqual(extra({ extraHosts: ['g:host-gateway'] }), []);
});

test('splitExtraHost: takes the first separator', () => {
  assert.deepEqual(splitExtraHost('a:::1'), { name: 'a', address: '::1' });
  assert.deepEqual(splitExtraHost('a'), { name: 'a', address: '' });
});
