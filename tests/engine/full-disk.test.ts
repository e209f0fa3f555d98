import assert from 'node:assert/strict';
import { closeSync, fstatSync, ftruncateSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isSystemError } from '#/base/errors.ts';
import { TestDaemon } from '#tests/daemon.ts';
import { dockerArchive, tarOf } from '#tests/images.ts';
import { holdingsOf, leakCheck } from '#tests/leak-check.ts';
import { TestContainers, valueOf } from '#tests/test-containers.ts';
import { until } from '#tests/until.ts';

const dataSize = 24 << 20;

let daemon: TestDaemon;
let containers: TestContainers;

before(async () => {
  daemon = await TestDaemon.start([], { dataSize });
  await daemon.loadBusybox();
  containers = new TestContainers(daemon);
  await containers.runToEnd({ cmd: 'true' });
});

after(() => daemon[Symbol.asyncDispose]());

/** Takes all room on the data's file system but `left` bytes, until it is disposed of. */
function fillDisk(left: number = 0): Disposable {
  const path = join(daemon.dir, 'data/ballast');
  const fd = openSync(path, 'w');
  for (let size = 1 << 20; size >= 512; size >>= 1) {
    try {
      for (;;) writeSync(fd, Buffer.alloc(size));
    } catch (error) {
      if (!isSystemError(error, 'ENOSPC')) throw error;
    }
  }
  ftruncateSync(fd, Math.max(0, fstatSync(fd).size - left));
  closeSync(fd);
  return { [Symbol.dispose]: () => rmSync(path) };
}

const clear = /no space left on device|disk is full/i;

async function visible(): Promise<unknown> {
  const lists = ['/containers/json?all=1', '/images/json?all=1', '/volumes'];
  return Promise.all(lists.map(async (path) => valueOf(await daemon.ask('GET', path), 200)));
}

test('full disk: create, volumes, import and load fail clearly, show nothing, and work when there is room again', async () => {
  await leakCheck(daemon, async () => {
    const layer = await tarOf({ big: Buffer.alloc(3 << 20, 'x') });
    const archive = await dockerArchive(['big:1'], [layer]);
    const attempts: [string, () => Promise<{ status: number; body: Buffer }>][] = [
      ['create', () => containers.tryCreate({ name: 'wanted', config: { Volumes: { '/data': {} } } })],
      ['volume create', () => daemon.ask('POST', '/volumes/create', { Name: 'wanted' })],
      ['import', () => daemon.ask('POST', '/images/create?fromSrc=-&repo=imported', layer)],
      ['load', () => daemon.ask('POST', '/images/load?quiet=1', archive)],
    ];
    const before = await visible();
    const files = holdingsOf(daemon).data;
    // From a disk without any room to one where a row fits and the rest does not.
    for (const left of [0, 16 << 10, 64 << 10, 256 << 10, 1 << 20]) {
      using _full = fillDisk(left);
      for (const [what, attempt] of attempts) {
        const { status, body } = await attempt();
        const text = body.toString();
        const failed = status >= 400 || text.includes('"error"');
        if (what === 'import' || what === 'load') assert.ok(failed, `${what}: ${text}`);
        if (failed) assert.match(text, clear, what);
        else if (what === 'create') await containers.remove('wanted');
        else await daemon.ask('DELETE', '/volumes/wanted');
      }
      assert.deepEqual(await visible(), before);
    }
    await until(() => JSON.stringify(holdingsOf(daemon).data) === JSON.stringify(files), {
      what: 'nothing is left of the attempts',
    });
    for (const [what, attempt] of attempts) {
      const { status, body } = await attempt();
      assert.ok(status < 300 && !body.toString().includes('"error"'), `${what}: ${body.toString()}`);
    }
    await containers.remove('wanted');
    for (const path of ['/volumes/wanted', '/images/imported', '/images/big:1']) {
      assert.ok((await daemon.ask('DELETE', path)).status < 300, path);
    }
  });
});

test('full disk: what runs goes on, obeys, and its end is noted as soon as there is room', async () => {
  await leakCheck(daemon, async () => {
    const running = await containers.run();
    const ending = await containers.run({ cmd: 'trap "exit 9" USR1; while true; do sleep 0.05; done' });
    const waiting = await containers.create({ name: 'waiting' });
    const vanishing = await containers.run({ host: { AutoRemove: true } });
    {
      using _full = fillDisk();
      assert.equal((await containers.exec(running, 'echo still; exit 4')).exitCode, 4);
      await containers.post(`${ending}/kill?signal=USR1`, 204);
      await daemon.ask('POST', `/containers/${vanishing}/kill`);
      const started = await daemon.ask('POST', `/containers/${waiting}/start`);
      if (started.status !== 204) assert.match(started.body.toString(), clear);
      const removed = await daemon.ask('DELETE', `/containers/${waiting}?force=1`);
      assert.equal(removed.status, 204, removed.body.toString());
      assert.equal((await daemon.ask('GET', '/_ping')).status, 200);
    }
    assert.equal(await containers.exitCode(ending), 9);
    await until(async () => (await containers.find(vanishing))?.State.Running !== true, {
      what: 'it has ended',
    });
    await containers.post(`${running}/stop?t=0`, 204);
    for (const id of await containers.list()) await containers.remove(id);
  });
});

test('full disk: output that cannot be logged does not stop the container', async () => {
  await leakCheck(daemon, async () => {
    const cmd =
      'i=0; while [ $i -lt 3000 ]; do echo "line $i xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"; i=$((i+1)); done; exit 6';
    const id = await containers.create({ cmd });
    const last = await containers.create({ cmd: 'echo after' });
    {
      using _full = fillDisk(128 << 10);
      await containers.post(`${id}/start`, 204);
      await until(() => endedBehindTheBack(id), { what: 'the program has ended' });
    }
    assert.equal(await containers.exitCode(id), 6);
    assert.match(await containers.logs(id), /^line 0 /);
    await containers.post(`${last}/start`, 204);
    await containers.exitCode(last);
    assert.equal(await containers.logs(last), 'after\n');
    for (const each of [id, last]) await containers.remove(each);
  });
});

/** Whether the monitor has noted the end, whatever the daemon knows of it. */
function endedBehindTheBack(id: string): boolean {
  const run = join(daemon.dir, 'run');
  return readdirSync(join(run, 'exits')).includes(id) || !readdirSync(join(run, 'containers')).includes(id);
}

test('full disk: the daemon starts on a full disk or says why not, and nothing is lost', async () => {
  await leakCheck(daemon, async () => {
    const id = await containers.run({ name: 'kept' });
    const { Pid } = (await containers.inspect(id)).State;
    {
      using _full = fillDisk();
      await daemon.down('SIGKILL');
      try {
        await daemon.up();
      } catch (error) {
        assert.match(String(error), clear);
        await daemon.down();
      }
    }
    if (daemon.pid === 0) await daemon.up();
    assert.equal((await containers.inspect(id)).State.Pid, Pid);
    await containers.remove(id);
  });
});
