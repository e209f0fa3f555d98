import assert from 'node:assert/strict';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readMountInfo } from '#/kernel/mountinfo.ts';
import { type Platform, parsePlatform } from '#/oci/platform.ts';
import { importImage } from '#/storage/images/import.ts';
import { fileHeader } from '#/tar/tar-entry.ts';
import { readTar } from '#/tar/tar-reader.ts';
import { type ImageScratch, openImages, streamOf, tarOf } from '#tests/images.ts';
import type { PlatformImage } from './image-package.ts';
import type { RootParts } from './root.ts';
import { exportTar, exportTree } from './tree-export.ts';

const control = { signal: new AbortController().signal, progress: () => {} };
const amd64 = parsePlatform('linux/amd64');

async function built(
  s: ImageScratch,
  files: Record<string, string>,
  platform: Platform = amd64,
): Promise<PlatformImage> {
  const links = [
    { ...fileHeader('out', 0), kind: 'symlink', linkPath: '/etc/passwd' } as const,
    { ...fileHeader('dir/', 0), kind: 'directory', mode: 0o1777, uid: 7, gid: 8 } as const,
  ];
  const { image } = await importImage(s, streamOf(await tarOf(files, links)), {
    config: {},
    message: '',
    platform,
    name: undefined,
  });
  return { platform, configBytes: Buffer.from('{}'), chainId: image.chainId };
}

function partsOf(s: ImageScratch): RootParts {
  return { layers: s.layers, snapshots: s.snapshots, trees: s.trees, runRoot: join(s.dir, 'run') };
}

function assertNothingLeft(s: ImageScratch): void {
  assert.deepEqual(readdirSync(join(s.dir, 'run')), []);
  assert.deepEqual(
    readMountInfo().filter(({ mountPoint }) => mountPoint.startsWith(s.dir)),
    [],
  );
  assert.deepEqual(
    s.snapshots.list().filter(({ kind }) => kind !== 'committed'),
    [],
  );
}

for (const driver of ['overlay2', 'vfs'] as const) {
  test(`exportTree: shows the files of a result, links as they are, and nothing stays (${driver})`, async () => {
    await using s = await openImages({ driver });
    const image = await built(s, { file: 'x' });
    let seen = 0;
    const sink = {
      write: (root: string) => {
        seen += 1;
        assert.deepEqual(readdirSync(root).toSorted(), ['dir', 'file', 'out']);
        assert.equal(readlinkSync(join(root, 'out')), '/etc/passwd');
        const { mode, uid, gid } = lstatSync(join(root, 'dir'));
        assert.deepEqual([mode & 0o7777, uid, gid], [0o1777, 7, 8]);
        return Promise.resolve();
      },
    };
    await exportTree([image], { parts: partsOf(s), sink }, control);
    assert.equal(seen, 1);
    assertNothingLeft(s);
    const failing = { write: () => Promise.reject(new Error('client gone')) };
    await assert.rejects(exportTree([image], { parts: partsOf(s), sink: failing }, control), /client gone/);
    assertNothingLeft(s);
  });
}

test('exportTree: puts several platforms beside each other, and adds files without following links', async () => {
  await using s = await openImages({ driver: 'overlay2' });
  const images = [await built(s, { a: '1' }), await built(s, { b: '2' }, parsePlatform('linux/arm/v7'))];
  const files = (): Promise<ReadonlyMap<string, Buffer>> =>
    Promise.resolve(new Map(['out', 'dir'].map((name) => [name, Buffer.from('mine')])));
  const sink = {
    write: (root: string) => {
      assert.deepEqual(readdirSync(root).toSorted(), ['linux_amd64', 'linux_arm_v7']);
      // Whatever the result has at these names, it is hidden.
      for (const name of ['out', 'dir'])
        assert.equal(readFileSync(join(root, 'linux_amd64', name), 'utf8'), 'mine');
      assert.equal(readFileSync(join(root, 'linux_arm_v7', 'b'), 'utf8'), '2');
      return Promise.resolve();
    },
  };
  await exportTree(images, { parts: partsOf(s), sink, files }, control);
  assertNothingLeft(s);
  assert.ok(!readFileSync('/etc/passwd', 'utf8').includes('mine'));
  await assert.rejects(
    exportTree(images, { parts: partsOf(s), sink, platformSplit: false }, control),
    /platform-split/,
  );
});

test('exportTar: is an archive of the result, also of one without layers', async () => {
  await using s = await openImages({ driver: 'overlay2' });
  const archives: Buffer[] = [];
  const sink = {
    write: async (bytes: AsyncIterable<Uint8Array>) => {
      archives.push(Buffer.concat(await Array.fromAsync(bytes)));
    },
  };
  const image = await built(s, { file: 'content' });
  await exportTar([image], { parts: partsOf(s), sink }, control);
  await exportTar([image], { parts: partsOf(s), sink }, control);
  assert.deepEqual(archives[0], archives[1]);
  const found: string[] = [];
  for await (const { path, kind } of readTar(streamOf(archives[0] ?? Buffer.alloc(0))))
    found.push(`${kind} ${path}`);
  assert.deepEqual(found, ['directory dir/', 'file file', 'symlink out']);
  await exportTar([{ ...image, chainId: undefined }], { parts: partsOf(s), sink }, control);
  assert.equal(archives[2]?.length, 1024);
  assertNothingLeft(s);
});
