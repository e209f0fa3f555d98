/** `skiff registry` with registries of several makes. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { basic, openRegistry, pushImage, users } from '#tests/configured-registry.ts';
import { startDebianRegistry } from '#tests/debian-registry.ts';
import { openFaultyRegistry } from '#tests/faulty-registry.ts';
import { never, openClient, repositoryOf } from '#tests/registry-clients.ts';
import { imageOf } from '#tests/registry-push.ts';
import { scratchDir } from '#tests/scratch-dir.ts';

const skiff = join(import.meta.dirname, '../../bin/skiff');

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Pushes an image of one layer with the client of registries. */
async function pushLayer(name: string): Promise<void> {
  using client = openClient();
  const repository = repositoryOf(client, name, { actions: 'pull,push' });
  const [config, layer] = [Buffer.from('{}'), Buffer.alloc(1000, 'x')];
  const options = { signal: never() };
  for (const bytes of [config, layer]) {
    const blob = { mediaType: '', digest: digestOf(bytes), size: bytes.length };
    async function* open(): AsyncGenerator<Uint8Array> {
      yield bytes;
    }
    await repository.pushBlob(blob, open, options);
  }
  const manifest = imageOf(config, [layer]);
  const bytes = Buffer.from(JSON.stringify(manifest));
  await repository.putManifest('latest', { mediaType: manifest.mediaType, bytes }, options);
}

function caller(folder: string): (line: string) => Promise<Outcome> {
  return (line) =>
    new Promise((resolve, reject) => {
      const env = { ...process.env, DOCKER_CONFIG: folder };
      execFile(skiff, line.split(' '), { env, timeout: 60_000 }, (error, out, err) => {
        const code = error === null ? 0 : error.code;
        if (typeof code === 'number') resolve({ code, out, err });
        else reject(error ?? new Error('no code'));
      });
    });
}

test('registry lists, inspects and deletes at docker-registry, and tells what that cannot', async () => {
  using dir = scratchDir();
  const call = caller(dir.path);
  await using registry = await startDebianRegistry();
  const { host } = registry;
  for (const name of ['app', 'team/app']) await pushLayer(`${host}/${name}`);
  assert.deepEqual(await call(`registry ls ${host}`), { code: 0, out: 'app\nteam/app\n', err: '' });
  assert.deepEqual(await call(`registry repositories http://${host}/`), {
    code: 0,
    out: 'app\nteam/app\n',
    err: '',
  });
  assert.deepEqual(await call(`registry tags ${host}/app`), { code: 0, out: 'latest\n', err: '' });
  const shown = JSON.parse((await call(`registry inspect ${host}/app`)).out);
  assert.equal(shown.Name, `${host}/app:latest`);
  assert.equal(shown.Layers.length, 1);
  assert.equal(shown.ContentSize, 1002);
  const raw = (await call(`registry inspect --raw ${host}/app@${shown.Digest}`)).out;
  assert.equal(JSON.parse(raw).schemaVersion, 2);
  // That registry cannot delete tags alone.
  assert.match((await call(`registry rm ${host}/app:latest`)).err, /--manifest deletes what it names/);
  const deleted = { code: 0, out: `Deleted: ${host}/app:latest\n`, err: '' };
  assert.deepEqual(await call(`registry delete --manifest ${host}/app:latest`), deleted);
  assert.match((await call(`registry inspect ${host}/app`)).err, /manifest unknown/);
  assert.match((await call(`registry gc ${host}`)).err, /only skiff-registry can/);
  assert.match((await call(`registry rm ${host}/team/app`)).err, /say which tag or digest is to be deleted/);
  assert.match(
    (await call('registry tags 127.0.0.1:1/app')).err,
    /dial tcp 127\.0\.0\.1:1: connect: connection refused/,
  );
});

test('registry deletes tags and collects garbage at skiff-registry, for those who may', async () => {
  using dir = scratchDir();
  const call = caller(dir.path);
  const settings = {
    auth: { htpasswd: { path: 'users' }, admins: ['boss'] },
  };
  await using registry = await openRegistry(settings, users('boss', 'other'));
  const { host } = new URL(registry.url);
  assert.equal(await pushImage(registry.url, 'app', basic('boss')), 201);
  assert.equal((await call(`registry gc ${host}`)).code, 1);
  assert.equal((await call(`login -u boss -p boss-pw ${host}`)).code, 0);
  assert.deepEqual(await call(`registry delete ${host}/app:latest`), {
    code: 0,
    out: `Deleted: ${host}/app:latest\n`,
    err: '',
  });
  assert.equal((await call(`registry tags ${host}/app`)).out, '');
  for (const line of [`registry gc --dry-run ${host}`, `registry gc ${host}`]) {
    const { code, out, err } = await call(line);
    assert.equal(code, 0, err);
    assert.equal(typeof JSON.parse(out), 'object');
  }
});

test('registry goes through all pages, and writes nothing of a terminal that a registry wants', async () => {
  using dir = scratchDir();
  const call = caller(dir.path);
  await using registry = await openFaultyRegistry();
  for (let i = 0; i < 2100; i += 1) registry.content.repository('app').tags.set(`v${i}`, 'x');
  const { out } = await call(`registry tags ${registry.host}/app`);
  assert.equal(out.trimEnd().split('\n').length, 2100);
  registry.content.repository('app').tags.set('v\u001b]0;title\u0007', 'x');
  const { code, out: shown, err } = await call(`registry tags ${registry.host}/app`);
  assert.equal(code, 1);
  assert.match(err, /list of tags.*not a name: "v\\u001b/);
  assert.ok(!`${shown}${err}`.includes('\u001b'));
});
