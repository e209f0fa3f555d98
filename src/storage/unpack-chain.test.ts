import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { mount, unmount } from '#/kernel/mount.ts';
import { digestOf } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { directory, file, link, pieces, tarOf } from '#/tar/tar-samples.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { type ChainId, chainIdOf } from './chain-id.ts';
import type { PartialBlob } from './content/partial-blob.ts';
import { openStorage, type TestStorage } from './layers-storage.ts';
import type { ChainLayer } from './unpack-chain.ts';

interface Sample {
  readonly bytes: Buffer;
  readonly layer: ChainLayer;
}

const second = 1_000_000_000n;

function sampleOf(archive: Buffer, bytes: Buffer): Sample {
  const blob = digestOf(bytes);
  const layer = { diffId: digestOf(archive), blob, mediaType: mediaTypes.layerGzip, size: bytes.length };
  return { bytes, layer };
}

/** Layers that lean on each other in every way that an archive can. */
async function samples(): Promise<Sample[]> {
  const archives = [
    await tarOf(
      directory('.', { mode: 0o711, uid: 7, mtime: second }),
      directory('etc', { mode: 0o750, uid: 5, gid: 6, mtime: 9n * second }),
      directory('etc/deep', { mode: 0o701, gid: 9, mtime: 8n * second }),
      file('etc/conf', 'base', { mode: 0o640, uid: 8 }),
      file('gone', 'x'),
      file('linked', 'target'),
    ),
    // Directories that are implied, one of them described later on, and a whiteout in one.
    await tarOf(
      file('etc/deep/new', 'n'.repeat(3_000_000)),
      file('etc/.wh.nothing', ''),
      file('other/deeper/y', 'y'),
      directory('later', { mode: 0o700 }),
      file('later/x', 'x'),
      file('.wh.gone', ''),
    ),
    // A further name for a file of a lower layer.
    await tarOf(link('hardlink', 'again', 'linked'), file('last', 'l')),
    await tarOf(directory('etc', { mode: 0o755, uid: 1 }), file('etc/conf', 'top')),
  ];
  return archives.map((archive, index) =>
    sampleOf(archive, index === 2 ? zstdCompressSync(archive) : gzipSync(archive)),
  );
}

async function ingest(storage: TestStorage, all: readonly Sample[]): Promise<ChainLayer[]> {
  for (const { bytes } of all) await storage.content.ingest(pieces(bytes));
  return all.map(({ layer }) => layer);
}

/** Everything about the tree that a chain shows, but inodes and the times of what no archive describes. */
async function shown(storage: TestStorage, chainId: ChainId): Promise<string> {
  using target = scratchDir();
  const key = `look ${chainId}`;
  const mounts = await storage.snapshots.view(key, chainId);
  mkdirSync(target.join('t'));
  for (const one of mounts) mount(one, target.join('t'));
  try {
    const list = execFileSync('find', ['.', '-printf', '%P %y %m %U %G %s %n\\n'], { cwd: target.join('t') });
    return list.toString().split('\n').toSorted().join('\n');
  } finally {
    for (const _ of mounts) unmount(target.join('t'));
    await storage.snapshots.remove(key);
  }
}

for (const driver of ['overlay2', 'vfs'] as const) {
  test(`Layers.unpackChain: on ${driver}, layers at the same time give what one after the other gives`, async () => {
    const all = await samples();
    await using together = await openStorage({ driver });
    await using apart = await openStorage({ driver });
    const chain = await ingest(together, all);
    await ingest(apart, all);
    using hold = together.layers.hold();
    const done: number[] = [];
    const { chainId, size } = await together.layers.unpackChain({
      layers: chain,
      hold,
      onUnpacked: (index) => done.push(index),
    });
    assert.ok(chainId !== undefined);
    assert.deepEqual(
      done.toSorted((a, b) => a - b),
      [0, 1, 2, 3],
    );
    using apartHold = apart.layers.hold();
    let parent: ChainId | undefined;
    for (const layer of chain)
      parent = (await apart.layers.unpack({ ...layer, parent, hold: apartHold })).chainId;
    assert.equal(chainId, parent);
    assert.equal(await shown(together, chainId), await shown(apart, chainId));
    assert.equal(
      size,
      apart.layers.chain(chainId).reduce((sum, layer) => sum + layer.size, 0),
    );
    assert.deepEqual(together.layers.chain(chainId), apart.layers.chain(chainId));
    const again = await together.layers.unpackChain({ layers: chain, hold });
    assert.deepEqual(again, { chainId, size });
  });
}

async function download(partial: PartialBlob, bytes: Buffer, step: number): Promise<void> {
  for (let at = partial.size; at < bytes.length; at += step) {
    await partial.append(bytes.subarray(at, at + step));
    await sleep(1);
  }
}

test('Layers.unpackChain: unpacks while the blobs are being downloaded, small ones and large ones', async () => {
  await using storage = await openStorage();
  const noise = Buffer.from(Array.from({ length: 2_000_000 }, (_, i) => (i * i * 31 + (i >> 7)) % 256));
  const large = await tarOf(file('noise', noise.toString('latin1')), file('f', 'x'));
  const all = [...(await samples()), sampleOf(large, gzipSync(large, { level: 0 }))];
  using blobs = storage.content.hold();
  using hold = storage.layers.hold();
  const partials = await Promise.all(
    all.map(({ layer }) => {
      blobs.add(layer.blob);
      return storage.content.partial({ digest: layer.blob, size: layer.size });
    }),
  );
  const unpacking = storage.layers.unpackChain({
    layers: all.map(({ layer }, index) => ({ ...layer, partial: partials[index] })),
    hold,
  });
  await Promise.all(
    all.map(async ({ bytes }, index) => {
      await download(partials[index] as PartialBlob, bytes, Math.ceil(bytes.length / 20));
      await (partials[index] as PartialBlob).complete();
    }),
  );
  const { chainId } = await unpacking;
  assert.equal(storage.layers.chain(chainId as ChainId).length, all.length);
});

test('Layers.unpackChain: a download that ends early or turns out wrong is the reason told, and no layer of it appears', async () => {
  await using storage = await openStorage();
  const [first, second_] = (await samples()) as [Sample, Sample];
  for (const ending of ['empty', 'cut', 'wrong'] as const) {
    using hold = storage.layers.hold();
    await ingest(storage, [first]);
    const partial = await storage.content.partial({ digest: second_.layer.blob, size: second_.layer.size });
    if (ending === 'empty') await partial.close();
    const unpacking = storage.layers.unpackChain({
      layers: [first.layer, { ...second_.layer, partial }],
      hold,
    });
    const outcome = assert.rejects(
      unpacking,
      ending === 'wrong' ? /Content has digest/ : /has ended before its end/,
    );
    if (ending === 'cut') {
      await partial.append(second_.bytes.subarray(0, 50));
      await partial.close();
    } else if (ending === 'wrong') {
      await partial.append(Buffer.concat([second_.bytes.subarray(partial.size, -1), Buffer.from([1])]));
      await assert.rejects(partial.complete(), { kind: 'invalid' });
    }
    await outcome;
    const top = chainIdOf(first.layer.diffId, second_.layer.diffId);
    assert.equal(storage.layers.get(top), undefined);
    assert.ok(!storage.snapshots.list().some(({ name }) => name.startsWith('unpack:')));
    await (await storage.content.partial({ digest: second_.layer.blob, size: second_.layer.size })).close();
  }
});

test('Layers.unpackChain: a wrong diff id, damaged data or an abort leaves nothing but layers that are right', async () => {
  await using storage = await openStorage();
  const all = await samples();
  const chain = await ingest(storage, all);
  const wrong = chain.with(2, { ...(chain[2] as ChainLayer), diffId: digestOf('other') });
  {
    using hold = storage.layers.hold();
    await assert.rejects(
      storage.layers.unpackChain({ layers: wrong, hold }),
      /has diff id sha256:\w+, expected/,
    );
  }
  {
    using hold = storage.layers.hold();
    const signal = AbortSignal.abort(new Error('no more'));
    await assert.rejects(storage.layers.unpackChain({ layers: chain, hold, signal }), /no more/);
  }
  await storage.layers.collect();
  assert.deepEqual(storage.snapshots.list(), []);
  assert.deepEqual(readdirSync(join(storage.root, 'snapshots/overlay2')), []);
});

test('Layers.unpackChain: several requests for overlapping chains do the work once', async () => {
  await using storage = await openStorage();
  const chain = await ingest(storage, await samples());
  using hold = storage.layers.hold();
  const results = await Promise.all(
    [4, 2, 4, 3, 1].map((length) => storage.layers.unpackChain({ layers: chain.slice(0, length), hold })),
  );
  assert.equal(results[0]?.chainId, results[2]?.chainId);
  assert.equal(storage.snapshots.list().length, 4);
});
