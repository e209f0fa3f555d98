import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { isSystemError } from '#/base/errors.ts';
import { Database, isDiskFullError } from './db.ts';
import { migrations } from './migrations.ts';

function scratch(): { path: string } & Disposable {
  const dir = mkdtempSync(join(tmpdir(), 'skiff-db-'));
  return { path: join(dir, 'state.db'), [Symbol.dispose]: () => rmSync(dir, { recursive: true }) };
}

test('Database: transaction keeps all or nothing', () => {
  using db = new Database(':memory:', [{ name: 'one', sql: 'CREATE TABLE t (n INTEGER) STRICT' }]);
  const insert = db.prepare('INSERT INTO t VALUES (?)');
  assert.throws(() =>
    db.transaction(() => {
      insert.run(1);
      throw new Error('boom');
    }),
  );
  db.transaction(() => db.transaction(() => insert.run(2)));
  assert.deepEqual(
    db
      .prepare('SELECT n FROM t')
      .all()
      .map((row) => row['n']),
    [2],
  );
});

test('Database: transaction refuses an asynchronous function and rolls back', () => {
  using db = new Database(':memory:', [{ name: 'one', sql: 'CREATE TABLE t (n INTEGER) STRICT' }]);
  const insert = db.prepare('INSERT INTO t VALUES (?)');
  assert.throws(() => db.transaction(async () => insert.run(1)), /must be synchronous/);
  assert.equal(db.prepare('SELECT count(*) AS n FROM t').get()?.['n'], 0);
});

test('Database: migrations run once, in order, and survive reopening', () => {
  using file = scratch();
  const first = [{ name: 'one', sql: 'CREATE TABLE t (n INTEGER) STRICT; INSERT INTO t VALUES (1)' }];
  new Database(file.path, first).close();
  using db = new Database(file.path, [...first, { name: 'two', sql: 'INSERT INTO t VALUES (2)' }]);
  assert.deepEqual(
    db
      .prepare('SELECT n FROM t ORDER BY n')
      .all()
      .map((row) => row['n']),
    [1, 2],
  );
});

test('Database: its files are for their owner only', () => {
  using file = scratch();
  using _db = new Database(file.path);
  const names = readdirSync(dirname(file.path));
  assert.ok(names.includes('state.db-wal'));
  for (const name of names) assert.equal(statSync(join(dirname(file.path), name)).mode & 0o077, 0, name);
});

test('Database: a failing migration leaves the schema as it was', () => {
  using file = scratch();
  const good = { name: 'one', sql: 'CREATE TABLE t (n INTEGER) STRICT' };
  assert.throws(
    () => new Database(file.path, [good, { name: 'two', sql: 'CREATE TABLE u (n INTEGER); nonsense' }]),
  );
  using db = new Database(file.path, [good]);
  assert.equal(db.prepare("SELECT count(*) AS n FROM sqlite_master WHERE name = 'u'").get()?.['n'], 0);
});

test('Database: a file from a newer Skiff is refused with its version', () => {
  using file = scratch();
  new Database(file.path, [
    { name: 'one', sql: '' },
    { name: 'two', sql: '' },
  ]).close();
  assert.throws(() => new Database(file.path, [{ name: 'one', sql: '' }]), /schema version 2.*up to 1/);
});

test('migrations: the real ones apply to an empty file', () => {
  using db = new Database(':memory:');
  assert.equal(db.prepare('PRAGMA user_version').get()?.['user_version'], migrations.length);
});

test('migrations: names of images are kept when indexes can have names, too', () => {
  using file = scratch();
  const before = new Database(file.path, migrations.slice(0, 9));
  before.prepare("INSERT INTO images (id, config, manifest, size) VALUES ('i', '{}', 'm', 0)").run();
  before.prepare("INSERT INTO image_names (name, image) VALUES ('n:1', 'i')").run();
  before.close();
  using db = new Database(file.path);
  assert.deepEqual(
    { ...db.prepare('SELECT * FROM names').get() },
    { name: 'n:1', image: 'i', index_digest: null },
  );
});

/** A small file system whose room can be taken. */
class SmallDisk implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), 'skiff-disk-'));

  constructor(size: number) {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'disk', this.path]);
  }

  fill(): void {
    const fd = openSync(join(this.path, 'ballast'), 'w');
    try {
      for (;;) writeSync(fd, Buffer.alloc(4096));
    } catch (error) {
      if (!isSystemError(error, 'ENOSPC')) throw error;
    } finally {
      closeSync(fd);
    }
  }

  [Symbol.dispose](): void {
    execFileSync('umount', [this.path]);
    rmdirSync(this.path);
  }
}

test('Database: on a full disk rows can be changed and deleted, and some more be added', () => {
  using disk = new SmallDisk(32 << 20);
  using db = new Database(join(disk.path, 'state.db'), [
    { name: 'one', sql: 'CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT) STRICT' },
  ]);
  const insert = db.prepare('INSERT INTO t (text) VALUES (?)');
  const update = db.prepare('UPDATE t SET text = ? WHERE n = ?');
  const remove = db.prepare('DELETE FROM t WHERE n = ?');
  for (let n = 0; n < 500; n += 1) db.transaction(() => insert.run('x'.repeat(6000)));
  disk.fill();
  // Several times what the log of writes holds.
  for (let round = 0; round < 4; round += 1) {
    for (let n = 1; n <= 500; n += 1) update.run(String(round).repeat(6000), n);
  }
  for (let n = 1; n <= 400; n += 1) remove.run(n);
  for (let n = 1; n <= 400; n += 1) insert.run('y'.repeat(6000));
  assert.equal(db.prepare('SELECT count(*) AS n FROM t').get()?.['n'], 500);
});

test('Database: when its own room is used up too the error says so, until there is room again', () => {
  using disk = new SmallDisk(32 << 20);
  using db = new Database(join(disk.path, 'state.db'), [
    { name: 'one', sql: 'CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT) STRICT' },
  ]);
  disk.fill();
  const insert = db.prepare('INSERT INTO t (text) VALUES (?)');
  assert.throws(() => {
    for (let n = 0; n < 10_000; n += 1) insert.run('x'.repeat(6000));
  }, isDiskFullError);
  rmSync(join(disk.path, 'ballast'));
  insert.run('there is room again');
});

test('Database: opens on a full disk, and holds its room again when it is opened next', () => {
  using disk = new SmallDisk(32 << 20);
  const path = join(disk.path, 'state.db');
  const steps = [{ name: 'one', sql: 'CREATE TABLE t (n INTEGER) STRICT' }];
  new Database(path, steps).close();
  disk.fill();
  // What SQLite itself needs to open a file.
  truncateSync(join(disk.path, 'ballast'), 24 << 20);
  new Database(path, steps).close();
  rmSync(join(disk.path, 'ballast'));
  using _db = new Database(path, steps);
  assert.ok(statSync(`${path}-wal`).size >= 4 << 20);
});
