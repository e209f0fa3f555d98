import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { lgetxattr, llistxattr } from '#/kernel/files.ts';
import { bring, type Sample, storeLab } from '#tests/context-lab.ts';
import { keptXattrs } from './context-entry.ts';

/** What the kernel keeps for cap_net_bind_service=ep (linux/capability.h, vfs_cap_data of revision 2). */
const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');

test('ContextStore: capabilities and attributes of users come with a file, and their change makes it another one', async () => {
  await using lab = storeLab();
  const store = await lab.open();
  const sample = (given: readonly (readonly [string, Uint8Array])[]): Sample[] => [
    { path: 'program', content: 'p', mode: 0o755, uid: 5, xattrs: keptXattrs(given) },
  ];
  const digests = new Set<string>();
  const bringOne = async (samples: readonly Sample[]): Promise<string[]> => {
    const { tree, wanted } = await bring(store, samples);
    digests.add(await lab.digests.digest({ root: tree.root, paths: ['program'], tree: 'owned' }));
    const path = join(tree.root, 'program');
    const names = llistxattr(path).map((name) => name.toString());
    const expected = [...(samples[0]?.xattrs ?? [])];
    assert.deepEqual(
      names.toSorted(),
      expected.map(([name]) => name),
    );
    for (const [name, value] of expected) assert.deepEqual(lgetxattr(path, name), Buffer.from(value));
    await tree[Symbol.asyncDispose]();
    return wanted;
  };
  const dressed = sample([
    ['user.note', Buffer.from('n')],
    ['security.capability', capability],
    // Those steer overlayfs and the host.
    ['trusted.overlay.redirect', Buffer.from('/etc')],
    ['user.overlay.opaque', Buffer.from('y')],
    ['security.selinux', Buffer.from('x')],
  ]);
  assert.deepEqual(await bringOne(dressed), ['program']);
  assert.deepEqual(await bringOne(dressed), []);
  assert.deepEqual(await bringOne(sample([['user.note', Buffer.from('other')]])), ['program']);
  assert.deepEqual(await bringOne(sample([])), ['program']);
  assert.equal(digests.size, 3);
  // Another daemon reads it from the index.
  assert.deepEqual(await bringOne(dressed), ['program']);
  const next = await lab.open();
  const { wanted, tree } = await bring(next, dressed);
  assert.deepEqual(wanted, []);
  await tree[Symbol.asyncDispose]();
});

test('ContextStore: refuses attributes that no file system keeps', async () => {
  await using lab = storeLab();
  const store = await lab.open();
  const many = Array.from({ length: 65 }, (_, index) => [`user.n${index}`, Buffer.alloc(1)] as const);
  for (const given of [
    many,
    [['user.a', Buffer.alloc(70_000)]],
    [[`user.${'x'.repeat(255)}`, Buffer.alloc(1)]],
  ] as const) {
    const xattrs = keptXattrs(given);
    await assert.rejects(bring(store, [{ path: 'f', xattrs }]), { kind: 'invalid' });
  }
  const broken = keptXattrs([['security.capability', Buffer.from('no capability')]]);
  await assert.rejects(bring(store, [{ path: 'f', xattrs: broken }]), {
    kind: 'invalid',
    message: /security.capability/,
  });
});
