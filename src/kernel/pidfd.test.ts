import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { scratchDir } from '#tests/scratch-dir.ts';
import { close } from './at.ts';
import { onPidExit, openPidfd, pidfdSignal, signalProcess } from './pidfd.ts';
import { isAlive, processesIn, processStartTime } from './proc.ts';

test('onPidExit: tells when a process ends by a signal through its descriptor', async () => {
  const child = spawn('sleep', ['100']);
  const fd = openPidfd(child.pid ?? 0);
  const ended = new Promise<void>((resolve) => onPidExit(fd, resolve));
  pidfdSignal(fd, 0);
  pidfdSignal(fd, 9);
  await ended;
  if (child.signalCode === null) await once(child, 'exit');
  assert.throws(() => pidfdSignal(fd, 0), { code: 'ESRCH', syscall: 'pidfd_send_signal' });
  close(fd);
});

test('onPidExit: disposed, it never calls back', async () => {
  const child = spawn('sleep', ['100']);
  const fd = openPidfd(child.pid ?? 0);
  const waiting = onPidExit(fd, () => assert.fail('called back'));
  waiting[Symbol.dispose]();
  pidfdSignal(fd, 9);
  await once(child, 'exit');
  for (let count = 0; count < 5; count++) await turn();
  close(fd);
});

test('signalProcess: reaches the process that started at that time and no other', async () => {
  const child = spawn('sleep', ['100']);
  const pid = child.pid ?? 0;
  const startTime = processStartTime(pid) ?? '';
  assert.equal(signalProcess({ pid, startTime: `${startTime}0` }, 9), false);
  assert.equal(signalProcess({ pid, startTime }, 9), true);
  const [, signal] = await once(child, 'exit');
  assert.equal(signal, 'SIGKILL');
  assert.equal(signalProcess({ pid, startTime }, 9), false);
});

test('processesIn: who works in a folder, with the name of the program', async () => {
  using dir = scratchDir();
  const child = spawn('sleep', ['100'], { cwd: dir.path });
  const pid = child.pid ?? 0;
  await once(child, 'spawn');
  assert.deepEqual(processesIn(dir.path), [{ pid, startTime: processStartTime(pid), program: 'sleep' }]);
  child.kill();
  await once(child, 'exit');
  assert.deepEqual(processesIn(dir.path), []);
});

test('openPidfd: no such process', () => {
  assert.throws(() => openPidfd(2 ** 22 + 1), { code: 'ESRCH' });
});

test('isAlive: a process is known by its number and its start time', async () => {
  const child = spawn('sleep', ['100']);
  const pid = child.pid ?? 0;
  const startTime = processStartTime(pid);
  assert.match(startTime ?? '', /^\d+$/);
  assert.equal(isAlive(pid, startTime ?? ''), true);
  assert.equal(isAlive(pid, `${startTime}0`), false);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(isAlive(pid, startTime ?? ''), false);
  assert.equal(processStartTime(pid), undefined);
});

test('isAlive: a zombie is not', async () => {
  // The shell replaces itself by a sleep that never reaps the child that it inherits; the child ends only after that.
  const child = 'while read -r name < /proc/$PPID/comm && [ "$name" != sleep ]; do :; done';
  const parent = spawn('sh', ['-c', `sh -c '${child}' & echo $!; exec sleep 100`]);
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  while (processStartTime(pid) !== undefined && isAlive(pid, processStartTime(pid) ?? '')) await turn();
  assert.match(processStartTime(pid) ?? '', /^\d+$/, 'it is still in the process table');
  parent.kill('SIGKILL');
  await once(parent, 'exit');
});

test('processStartTime: reads past a hostile process name', async () => {
  const child = spawn('sh', ['-c', 'printf %s ") Z 1 (" > /proc/$$/comm; echo ready; read x']);
  await once(child.stdout, 'data');
  const pid = child.pid ?? 0;
  assert.equal(isAlive(pid, processStartTime(pid) ?? ''), true);
  assert.ok(Number(processStartTime(pid)) >= Number(processStartTime(process.pid)));
  child.stdin.end();
  await once(child, 'exit');
});

test('processStartTime: undefined for numbers that are no process', () => {
  for (const pid of [0, -1, 1.5, Number.NaN, 2 ** 31]) assert.equal(processStartTime(pid), undefined);
});
