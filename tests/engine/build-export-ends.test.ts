/** Exports that end in their midst: the client leaves, the daemon is killed. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readMountInfo } from '#/kernel/mountinfo.ts';
import { run, TestDaemon } from '#tests/daemon.ts';
import { leakCheck } from '#tests/leak-check.ts';
import { until } from '#tests/until.ts';

const program = join(import.meta.dirname, '../../bin/skiff');
let daemon: TestDaemon;
let context: string;

before(async () => {
  daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  context = join(daemon.dir, 'context');
  mkdirSync(context);
  // More than all buffers on the way to the client hold.
  writeFileSync(join(context, 'large'), Buffer.alloc(64 << 20, 'x'));
  writeFileSync(join(context, 'Dockerfile'), 'FROM busybox\nCOPY large /large\n');
  const env = { SKIFF_HOST: daemon.host };
  const { code, stderr } = await run(program, ['build', '-q', '--output=type=cacheonly', context], {
    env,
    input: '',
  });
  assert.equal(code, 0, stderr);
});

after(() => daemon[Symbol.asyncDispose]());

function exportMounts(): string[] {
  return readMountInfo()
    .map(({ mountPoint }) => mountPoint)
    .filter((path) => path.startsWith(daemon.dir) && path.includes('build-export-'));
}

/** A client that asks for the files of a build and does not take them. */
async function beginExport(): Promise<ChildProcess> {
  const args = ['build', '--progress=plain', '--provenance=true', '-o', 'type=tar,dest=-', context];
  const client = spawn(program, args, {
    env: { ...process.env, SKIFF_HOST: daemon.host },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await until(() => exportMounts().length > 0 && (client.stdout?.readableLength ?? 0) > 0, {
    what: 'the export',
  });
  return client;
}

test('build export: a client that leaves takes mounts and snapshots with it', async () => {
  await leakCheck(daemon, async () => {
    const client = await beginExport();
    client.kill('SIGKILL');
    await once(client, 'close');
    await until(() => exportMounts().length === 0, { what: 'the end of the mounts' });
    await until(() => readdirSync(join(daemon.dir, 'run/builds')).length === 0, {
      what: 'the end of the export',
    });
  });
});

test('build export: a daemon that is killed finds nothing of it when it comes back', async () => {
  await leakCheck(daemon, async () => {
    const client = await beginExport();
    await daemon.down('SIGKILL');
    client.kill('SIGKILL');
    await once(client, 'close');
    assert.ok(exportMounts().length > 0);
    await daemon.up();
    assert.deepEqual(exportMounts(), []);
    assert.deepEqual(readdirSync(join(daemon.dir, 'run/builds')), []);
  });
});
