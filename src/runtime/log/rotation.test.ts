import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LogRotation, rotate } from './rotation.ts';

class Folder implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), 'skiff-log-'));
  readonly log: string = join(this.path, 'container.log');

  /** File name to content. */
  get files(): Record<string, string> {
    const names = readdirSync(this.path).toSorted();
    return Object.fromEntries(names.map((name) => [name, readFileSync(join(this.path, name), 'utf8')]));
  }

  put(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.path, name), text);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

test('rotate: each file moves on by one, the oldest goes', () => {
  using folder = new Folder();
  folder.put({ 'container.log': 'd', 'container.log.1': 'c', 'container.log.2': 'b', hosts: 'x' });
  rotate(folder.log, 4);
  assert.deepEqual(folder.files, {
    'container.log.1': 'd',
    'container.log.2': 'c',
    'container.log.3': 'b',
    hosts: 'x',
  });
  folder.put({ 'container.log': 'e' });
  rotate(folder.log, 4);
  assert.deepEqual(folder.files, {
    'container.log.1': 'e',
    'container.log.2': 'd',
    'container.log.3': 'c',
    hosts: 'x',
  });
});

test('rotate: a rotation that was cut off loses nothing, a smaller limit holds at once', () => {
  using folder = new Folder();
  folder.put({ 'container.log': 'd', 'container.log.2': 'c', 'container.log.3': 'b' });
  rotate(folder.log, 4);
  assert.deepEqual(folder.files, { 'container.log.1': 'd', 'container.log.2': 'c', 'container.log.3': 'b' });
  folder.put({ 'container.log': 'e' });
  rotate(folder.log, 2);
  assert.deepEqual(folder.files, { 'container.log.1': 'e' });
  folder.put({ 'container.log': 'f' });
  rotate(folder.log, 1);
  assert.deepEqual(folder.files, {});
});

async function until(holds: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 1000 && !holds(); attempt += 1) await sleep(10);
  assert.ok(holds());
}

test('LogRotation: rotates when the file has become too large, and asks again for one that is not begun', async () => {
  using folder = new Folder();
  folder.put({ 'container.log': 'abc' });
  let asked = 0;
  const errors: unknown[] = [];
  using _rotation = new LogRotation({
    path: folder.log,
    maxBytes: 10,
    maxFiles: 3,
    reopen: async () => {
      asked += 1;
      // The first order is lost.
      if (asked > 1) folder.put({ 'container.log': '' });
    },
    onError: (error) => errors.push(error),
  });
  appendFileSync(folder.log, 'defghij');
  await until(() => asked === 2);
  assert.deepEqual(folder.files, { 'container.log': '', 'container.log.1': 'abcdefghij' });
  appendFileSync(folder.log, '0123456789');
  await until(() => asked === 3);
  assert.deepEqual(folder.files, {
    'container.log': '',
    'container.log.1': '0123456789',
    'container.log.2': 'abcdefghij',
  });
  assert.deepEqual(errors, []);
});
