import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { processStartTime } from '#/kernel/proc.ts';
import { ExitWatcher } from './exit-watcher.ts';

class Exits implements Disposable {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'skiff-exits-'));
  readonly watcher: ExitWatcher = new ExitWatcher(this.dir);

  /** As GLib does: a temporary file, renamed. */
  leave(id: string, text: string): void {
    writeFileSync(join(this.dir, `${id}.XYZ`), text);
    renameSync(join(this.dir, `${id}.XYZ`), join(this.dir, id));
  }

  [Symbol.dispose](): void {
    this.watcher[Symbol.dispose]();
    rmSync(this.dir, { recursive: true });
  }
}

test('ExitWatcher: everybody who waits hears of an exit, before and after it', async () => {
  using exits = new Exits();
  const waiting = [exits.watcher.wait('a'), exits.watcher.wait('a')];
  exits.leave('b', '0');
  exits.leave('a', '137');
  for (const { exitCode, lost } of await Promise.all(waiting))
    assert.deepEqual([exitCode, lost], [137, false]);
  assert.equal((await exits.watcher.wait('b')).exitCode, 0);
  assert.equal(exits.watcher.read('c'), undefined);
});

test('ExitWatcher: aborting and closing end the waiting', async () => {
  using exits = new Exits();
  const stop = new AbortController();
  const aborted = exits.watcher.wait('a', { signal: stop.signal });
  const closed = exits.watcher.wait('a');
  stop.abort(new Error('enough'));
  await assert.rejects(aborted, /enough/);
  exits.watcher[Symbol.dispose]();
  await assert.rejects(closed, /closed/);
});

test('ExitWatcher: a monitor that dies without a code is a lost exit', async () => {
  using exits = new Exits();
  const child = spawn('sleep', ['100'], { stdio: 'ignore' });
  const reaped = once(child, 'exit');
  const pid = child.pid ?? 0;
  const monitor = { pid, startTime: processStartTime(pid) ?? '' };
  const waiting = exits.watcher.wait('a', { monitor });
  child.kill('SIGKILL');
  assert.deepEqual((({ exitCode, lost }) => [exitCode, lost])(await waiting), [137, true]);
  await reaped;
  assert.equal((await exits.watcher.wait('a', { monitor })).lost, true);
  exits.leave('a', '3');
  assert.equal((await exits.watcher.wait('a', { monitor })).exitCode, 3);
});

test('ExitWatcher: a process with the number of a dead monitor is not taken for it', async () => {
  using exits = new Exits();
  const monitor = { pid: process.pid, startTime: '1' };
  assert.equal((await exits.watcher.wait('a', { monitor })).lost, true);
});
