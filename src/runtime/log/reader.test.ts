import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type LogQuery, readLog } from './reader.ts';

class Folder implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), 'skiff-log-'));
  readonly log: string = join(this.path, 'container.log');

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

function line(second: number, text: string, tag: 'F' | 'P' = 'F'): string {
  return `2026-01-02T03:04:${String(second).padStart(2, '0')}.000000000+00:00 stdout ${tag} ${text}\n`;
}

const start = BigInt(Date.parse('2026-01-02T03:04:00Z')) * 1_000_000n;
const nanoseconds = (second: number): bigint => start + BigInt(second) * 1_000_000_000n;

async function read(path: string, query: Partial<LogQuery> = {}): Promise<string[]> {
  const batches = readLog(path, { unit: 'lines', signal: new AbortController().signal, ...query });
  return (await Array.fromAsync(batches)).flat().map(({ data }) => data.toString());
}

test('readLog: a missing log is empty, also when followed to its end', async () => {
  using folder = new Folder();
  assert.deepEqual(await read(folder.log), []);
  assert.deepEqual(await read(folder.log, { follow: Promise.resolve() }), []);
});

test('readLog: gives rotated files first, and tail counts across them', async () => {
  using folder = new Folder();
  writeFileSync(`${folder.log}.2`, line(1, 'a') + line(2, 'b'));
  writeFileSync(`${folder.log}.1`, line(3, 'c'));
  writeFileSync(folder.log, line(4, 'd') + line(5, 'e'));
  assert.deepEqual(await read(folder.log), ['a\n', 'b\n', 'c\n', 'd\n', 'e\n']);
  assert.deepEqual(await read(folder.log, { tail: 4 }), ['b\n', 'c\n', 'd\n', 'e\n']);
  assert.deepEqual(await read(folder.log, { tail: 0 }), []);
  assert.deepEqual(await read(folder.log, { tail: 9 }), ['a\n', 'b\n', 'c\n', 'd\n', 'e\n']);
});

test('readLog: since and until include their instants', async () => {
  using folder = new Folder();
  writeFileSync(folder.log, [1, 2, 3, 4].map((second) => line(second, String(second))).join(''));
  assert.deepEqual(await read(folder.log, { since: nanoseconds(2), until: nanoseconds(3) }), ['2\n', '3\n']);
  assert.deepEqual(await read(folder.log, { since: nanoseconds(3), tail: 3 }), ['3\n', '4\n']);
});

test('readLog: joins the pieces of lines, or gives them as they were written', async () => {
  using folder = new Folder();
  writeFileSync(folder.log, line(1, 'a', 'P') + line(2, 'b', 'P') + line(3, 'c') + line(4, 'end', 'P'));
  assert.deepEqual(await read(folder.log), ['abc\n', 'end']);
  assert.deepEqual(await read(folder.log, { tail: 2 }), ['abc\n', 'end']);
  assert.deepEqual(await read(folder.log, { unit: 'pieces' }), ['a', 'b', 'c\n', 'end']);
});

test('readLog: leaves out what is corrupt', async () => {
  using folder = new Folder();
  writeFileSync(
    folder.log,
    `${line(1, 'a')}garbage\n${'x'.repeat(100_000)}\n${line(2, 'b')}2026-01-02T03:04`,
  );
  assert.deepEqual(await read(folder.log), ['a\n', 'b\n']);
});

test('readLog: follows a log through half-written lines and rotation to the end', async () => {
  using folder = new Folder();
  writeFileSync(folder.log, line(1, 'old') + line(2, 'a'));
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const seen: string[] = [];
  // Each step is taken when the one before has been seen.
  const steps: (() => void)[] = [
    () => {
      appendFileSync(folder.log, line(3, 'b').slice(0, 20));
      appendFileSync(folder.log, line(3, 'b').slice(20));
    },
    () => {
      // As conmon does: renamed by us, written on, then a new file is moved into its place.
      renameSync(folder.log, `${folder.log}.1`);
      appendFileSync(`${folder.log}.1`, line(4, 'c'));
      writeFileSync(`${folder.log}.tmp`, line(5, 'd'));
      renameSync(`${folder.log}.tmp`, folder.log);
    },
    () => {},
    () => {
      appendFileSync(folder.log, line(6, 'e'));
      end();
    },
  ];
  const signal = new AbortController().signal;
  for await (const entries of readLog(folder.log, { unit: 'lines', tail: 1, follow: ended, signal })) {
    for (const { data } of entries) {
      seen.push(data.toString());
      steps.shift()?.();
    }
  }
  assert.deepEqual(seen, ['a\n', 'b\n', 'c\n', 'd\n', 'e\n']);
});

test('readLog: following ends by abort', async () => {
  using folder = new Folder();
  writeFileSync(folder.log, line(1, 'a'));
  const stop = new AbortController();
  const { promise: never } = Promise.withResolvers<void>();
  const seen: string[] = [];
  for await (const entries of readLog(folder.log, { unit: 'lines', follow: never, signal: stop.signal })) {
    seen.push(...entries.map(({ data }) => data.toString()));
    stop.abort();
  }
  assert.deepEqual(seen, ['a\n']);
});

test('readLog: following ends when until has passed', async () => {
  using folder = new Folder();
  writeFileSync(folder.log, line(1, 'a') + line(9, 'late'));
  const { promise: never } = Promise.withResolvers<void>();
  assert.deepEqual(await read(folder.log, { follow: never, until: nanoseconds(5) }), ['a\n']);
});
