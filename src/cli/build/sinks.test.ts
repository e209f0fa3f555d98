import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { byteString } from '#/base/byte-string.ts';
import { fileHeader } from '#/tar/tar-entry.ts';
import { readTar } from '#/tar/tar-reader.ts';
import { writeTar } from '#/tar/tar-writer.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { makeFolder } from './make-folder.ts';
import { parseOutputs } from './outputs.ts';
import { checkSink } from './sinks.ts';
import { unpackLayout } from './unpack-layout.ts';

const imageName = 'io.containerd.image.name';
const refName = 'org.opencontainers.image.ref.name';

/** Unpacks an archive with these images in its index. */
async function unpack(root: string, manifests: readonly object[]): Promise<void> {
  const files = {
    'manifest.json': '[]',
    'index.json': JSON.stringify({ schemaVersion: 2, manifests }),
    'blobs/sha256/1': 'blob',
    'oci-layout': '{}',
  };
  const entries = Object.entries(files).map(([path, content]) => ({
    ...fileHeader(byteString(path), content.length),
    body: [Buffer.from(content)],
  }));
  await unpackLayout(root, readTar(writeTar(entries)));
}

function indexOf(root: string): { manifests: { digest: string }[] } {
  return JSON.parse(readFileSync(`${root}/index.json`, 'utf8'));
}

test('unpackLayout: images of other names stay in the index of a folder', async () => {
  using dir = scratchDir();
  const named = (digest: string, name: string) => ({
    digest,
    annotations: { [imageName]: name, [refName]: '1' },
  });
  const digests = (): string[] => indexOf(dir.path).manifests.map(({ digest }) => digest);
  await unpack(dir.path, [named('1', 'a:1'), named('1', 'a:2')]);
  assert.equal(existsSync(dir.join('manifest.json')), false);
  assert.equal(readFileSync(dir.join('blobs/sha256/1'), 'utf8'), 'blob');
  await unpack(dir.path, [named('2', 'b:1')]);
  await unpack(dir.path, [named('3', 'a:2'), { digest: '4' }]);
  await unpack(dir.path, [{ digest: '4' }, { digest: '5', annotations: { [refName]: 'cache' } }]);
  assert.deepEqual(digests(), ['1', '2', '3', '4', '5']);
  await unpack(dir.path, [{ digest: '6', annotations: { [refName]: 'cache' } }]);
  assert.deepEqual(digests(), ['1', '2', '3', '4', '6']);
  writeFileSync(dir.join('index.json'), 'no JSON');
  await assert.rejects(unpack(dir.path, []), /cannot add an image to the index .*index\.json: /);
  assert.equal(readFileSync(dir.join('index.json'), 'utf8'), 'no JSON');
});

test('checkSink: what stands in the way of a result is told before the build', () => {
  using dir = scratchDir();
  const [file, folder] = [dir.join('file'), dir.path];
  writeFileSync(file, '');
  const cases: [kind: 'file' | 'folder' | 'layout', path: string, error: RegExp | undefined][] = [
    ['file', folder, /^destination file .* is a directory$/],
    ['folder', file, /^destination directory .* is a file$/],
    ['layout', file, /^destination directory .* is a file$/],
    ['file', file, undefined],
    ['file', dir.join('new/deep/file'), undefined],
    ['folder', dir.join('new/deep'), undefined],
    ['file', '/dev/null', undefined],
    ['file', `/${'x'.repeat(300)}`, /^cannot write the result to ".*": stat .*: name too long$/],
  ];
  for (const [kind, path, error] of cases) {
    if (error === undefined) checkSink({ kind, path });
    else assert.throws(() => checkSink({ kind, path }), { message: error }, path);
  }
});

test('makeFolder: makes what is missing, and ends where there can be no folders', () => {
  using dir = scratchDir();
  makeFolder(dir.join('a/b/c'));
  makeFolder(dir.join('a/b/c'));
  assert.ok(existsSync(dir.join('a/b/c')));
  assert.throws(() => makeFolder('/proc/no/folder'), { code: 'ENOENT' });
  writeFileSync(dir.join('file'), '');
  assert.throws(() => makeFolder(dir.join('file/x')), /EEXIST|ENOTDIR/);
});

test('parseOutputs: archives and folders of images', () => {
  const sinkOf = (output: string): unknown =>
    parseOutputs(
      { annotation: [], load: false, output: [output], push: false, tag: [] },
      { isTerminal: false },
    ).map(({ document, sink }) => [document.Type, document.Attributes, sink]);
  const [archive, layout] = [
    { kind: 'file', path: 'x' },
    { kind: 'layout', path: 'x' },
  ];
  assert.deepEqual(sinkOf('type=oci,dest=x'), [['oci', {}, archive]]);
  assert.deepEqual(sinkOf('type=docker,tar=true,dest=x'), [['docker', {}, archive]]);
  assert.deepEqual(sinkOf('type=oci,tar=false,dest=x,compression=zstd'), [
    ['oci', { compression: 'zstd' }, layout],
  ]);
  assert.deepEqual(sinkOf('type=docker,tar=0,dest=x'), [['docker', {}, layout]]);
  const wrong: [output: string, error: RegExp][] = [
    ['type=oci,tar=false', /^dest is required for oci exporter$/],
    ['type=docker,tar=false', /^dest is required for docker exporter$/],
    ['type=docker,tar=false,dest=-', /^dest cannot be stdout for docker exporter$/],
    ['type=oci,tar=maybe,dest=x', /^invalid value "maybe" for tar in --output .*: true for an archive/],
  ];
  for (const [output, message] of wrong) assert.throws(() => sinkOf(output), { message });
});
