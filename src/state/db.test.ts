import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Database } from './db.ts';
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
