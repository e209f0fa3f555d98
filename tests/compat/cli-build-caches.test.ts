/** `skiff build` with caches in folders, and cache mounts as archives. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Ran, run, TestDaemon } from '#tests/daemon.ts';

const program = join(import.meta.dirname, '../../bin/skiff');
let daemon: TestDaemon;
let folder: string;

before(async () => {
  daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  folder = join(daemon.dir, 'work');
  mkdirSync(join(folder, 'context'), { recursive: true });
});

after(() => daemon[Symbol.asyncDispose]());

function shell(line: string): Promise<Ran> {
  const script = `skiff() { ${program} "$@"; }; cd ${folder}\n${line}`;
  const env = { SKIFF_HOST: daemon.host, DOCKER_CONFIG: folder };
  return run('timeout', ['-k', '1', '60', 'bash', '-o', 'pipefail', '-c', script], { env });
}

async function ok(line: string): Promise<string> {
  const { code, stdout, stderr } = await shell(line);
  assert.equal(code, 0, `${line}\n${stdout}${stderr}`);
  return stdout + stderr;
}

async function forget(): Promise<void> {
  await ok('skiff image rm -f made >/dev/null 2>&1; skiff builder prune -af >/dev/null');
}

test('skiff build: cache goes to a folder and comes back from it', async () => {
  writeFileSync(
    join(folder, 'context/Dockerfile'),
    'FROM busybox\nRUN echo said one; echo 1 >/one\nRUN echo said two',
  );
  const first = await ok('skiff build -q -t made --cache-to type=local,dest=cache,mode=max context');
  assert.deepEqual(readdirSync(join(folder, 'cache')).toSorted(), ['blobs', 'index.json', 'oci-layout']);
  const index = JSON.parse(readFileSync(join(folder, 'cache/index.json'), 'utf8'));
  assert.equal(index.manifests[0].annotations['org.opencontainers.image.ref.name'], 'latest');
  await forget();
  const again = await ok('skiff build --progress=plain -t made --cache-from type=local,src=cache context');
  assert.doesNotMatch(again, /^#\d+ [\d.]+ said/m);
  assert.equal(
    await ok('skiff image inspect -f "{{.Id}}" made'),
    `${first.trim().replace(/^(?!sha256:)/, 'sha256:')}\n`,
  );
  await forget();
  const without = await ok(
    'skiff build --progress=plain -t made --cache-from type=local,src=nowhere context',
  );
  assert.match(without, /WARNING: local cache import at nowhere not found/);
  assert.match(without, /said one/);
});

test('skiff builder mount-export: brings a cache mount from one machine to another', async () => {
  writeFileSync(
    join(folder, 'context/Dockerfile'),
    'FROM busybox\nARG C\nRUN --mount=type=cache,id=kept,target=/c eval "$C"',
  );
  await ok("skiff build -q --build-arg C='echo content >/c/f' context");
  const id = (await ok("skiff builder du --filter type=exec.cachemount --format '{{.ID}}'")).trim();
  assert.match(id, /^cachemount-\d+$/);
  await ok(`skiff builder mount-export -o mount.tar ${id}`);
  await forget();
  assert.match((await shell(`skiff builder mount-export ${id} | cat`)).stderr, /No such cache mount/);
  assert.match(await ok('skiff builder mount-import - <mount.tar'), /^cachemount-\d+\n$/);
  assert.match(await ok("skiff build --progress=plain --build-arg C='cat /c/f; : again' context"), /content/);
  assert.match(
    (await shell('skiff builder mount-import /etc/hostname')).stderr,
    /Cannot (?:import cache mount|read archive)/,
  );
});
