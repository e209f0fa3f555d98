import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileHeader } from '#/tar/tar-entry.ts';
import { BuildBox } from '#tests/builds.ts';
import { streamOf, tarOf } from '#tests/images.ts';

const box = await BuildBox.open();
after(() => box[Symbol.asyncDispose]());
const { signal } = new AbortController();
const mounts = join(box.dir, 'data/builder/mounts');

const use = (command: string): string =>
  `FROM busybox\nRUN --mount=type=cache,id=store,target=/c,uid=7,mode=0750 ${command}`;

async function exported(): Promise<{ id: string; archive: Buffer }> {
  const { builder } = box.engine.backend;
  const [record] = (await builder.usage()).filter(({ kind }) => kind === 'exec.cachemount');
  assert.ok(record !== undefined);
  return {
    id: record.id,
    archive: Buffer.concat(await Array.fromAsync(builder.exportCacheMount(record.id))),
  };
}

test('cache mounts: what one machine has collected, another one gets', async () => {
  const { builder } = box.engine.backend;
  await box.build(use('mkdir /c/d && echo kept >/c/d/file && ln -s d /c/link && chown 5 /c/d'));
  const { id, archive } = await exported();
  await builder.prune({ all: true, filters: new Map() });
  assert.deepEqual(await builder.usage(), []);
  await assert.rejects(async () => Array.fromAsync(builder.exportCacheMount(id)), { kind: 'notFound' });
  const imported = await builder.importCacheMount(streamOf(archive), { signal });
  assert.equal(imported.name, 'store');
  const again = await box.build(use("cat /c/link/file; stat -c '%u %a' /c /c/d"), { noCache: true });
  assert.equal(again.log, 'kept\n7 750\n5 755\n');
  // A second import replaces the first one.
  await box.build(use('echo more >/c/more'), { noCache: true });
  await builder.importCacheMount(streamOf(archive), { signal });
  assert.equal((await box.build(use('ls /c'), { noCache: true })).log, 'd\nlink\n');
  assert.deepEqual(readdirSync(mounts).length, 1);
});

test('cache mounts: one that a step uses is not replaced', async () => {
  const { builder } = box.engine.backend;
  const { archive } = await exported();
  const stop = new AbortController();
  let tried: Promise<unknown> | undefined;
  const onEvent = ({ kind }: { kind: string }): void => {
    if (kind !== 'log') return;
    tried ??= builder
      .importCacheMount(streamOf(archive), { signal })
      .finally(() => stop.abort(new Error('enough')));
    tried.catch(() => {});
  };
  await assert.rejects(
    box.build(use('echo here; sleep 60'), { noCache: true, signal: stop.signal, onEvent }),
    /enough/,
  );
  await assert.rejects(async () => tried, { kind: 'conflict' });
});

test('cache mounts: archives that are none, or lead elsewhere, change nothing', async () => {
  const { builder } = box.engine.backend;
  const before = readdirSync(mounts);
  const identity = JSON.stringify({ key: `sha256:${'1'.repeat(64)}`, name: 'x' });
  const link = { ...fileHeader('data', 0), kind: 'symlink', linkPath: '/etc' } as const;
  const directory = { ...fileHeader('data/', 0), kind: 'directory' } as const;
  const precious = join(box.dir, 'precious');
  writeFileSync(precious, '');
  for (const archive of [
    Buffer.from('no archive'),
    await tarOf({}),
    await tarOf({ 'mount.json': identity }),
    await tarOf({ 'mount.json': identity }, [link]),
    await tarOf({}, [directory]),
    await tarOf({ 'mount.json': '{}' }, [directory]),
    await tarOf({ 'mount.json': JSON.stringify({ key: '../../x', name: 'x' }) }, [directory]),
    await tarOf({}, [directory, { ...fileHeader('mount.json', 0), kind: 'symlink', linkPath: precious }]),
  ]) {
    await assert.rejects(builder.importCacheMount(streamOf(archive), { signal }), { kind: 'invalid' });
  }
  assert.deepEqual(readdirSync(mounts), before);
  assert.ok(existsSync(precious));
  for (const id of ['cachemount-999', 'cachemount-x', '../1', '']) {
    await assert.rejects(async () => Array.fromAsync(builder.exportCacheMount(id)), { kind: 'notFound' }, id);
  }
});
