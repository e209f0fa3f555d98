import assert from 'node:assert/strict';
import { test } from 'node:test';
import { visibleChanges } from './changes.ts';

test('visibleChanges: mount points of our own are no changes, what is done beside them is', () => {
  const ours = [
    { kind: 'added', path: 'dev' },
    { kind: 'modified', path: 'etc' },
    { kind: 'added', path: 'etc/hosts' },
    { kind: 'modified', path: 'etc/resolv.conf' },
    { kind: 'added', path: 'proc' },
  ] as const;
  assert.deepEqual(visibleChanges(ours), []);
  assert.deepEqual(visibleChanges([...ours, { kind: 'deleted', path: 'etc/group' }]), [
    { Path: '/etc', Kind: 0 },
    { Path: '/etc/group', Kind: 2 },
  ]);
  assert.deepEqual(visibleChanges([{ kind: 'deleted', path: 'etc' }]), [{ Path: '/etc', Kind: 2 }]);
});

test('visibleChanges: names are shown as text', () => {
  assert.deepEqual(visibleChanges([{ kind: 'added', path: 'caf\u00c3\u00a9' }]), [
    { Path: '/café', Kind: 1 },
  ]);
});
