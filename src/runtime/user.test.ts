import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { EngineError } from '#/base/errors.ts';
import { resolveUser } from './user.ts';

class Root implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), 'skiff-user-'));

  constructor(files: { passwd?: string; group?: string } = {}) {
    mkdirSync(join(this.path, 'etc'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.path, 'etc', name), text);
  }

  resolve(user: string, ...groupAdd: readonly string[]): ReturnType<typeof resolveUser> {
    return resolveUser(this.path, { user, groupAdd });
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

const passwd =
  'root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n1000:x:0:0:::\nevil:x:-1:0:::\n';
const group = 'root:x:0:\nalice:x:1000:\nwheel:x:10:root,alice\naudio:x:29:alice\n29:x:0:\n';

test('resolveUser: by name, with the groups that list it', () => {
  using root = new Root({ passwd, group });
  assert.deepEqual(root.resolve('alice'), {
    uid: 1000,
    gid: 1000,
    groups: [10, 29],
    home: '/home/alice',
    username: 'alice',
  });
  assert.deepEqual(root.resolve('').groups, [10]);
});

test('resolveUser: a number is an id and never the name of an entry', () => {
  using root = new Root({ passwd, group });
  assert.equal(root.resolve('1000').username, 'alice');
  assert.deepEqual(root.resolve('4242'), { uid: 4242, gid: 0, groups: [], home: '/', username: undefined });
  assert.equal(root.resolve('alice:29').gid, 29);
});

test('resolveUser: an explicit group replaces the others, added ones come on top', () => {
  using root = new Root({ passwd, group });
  assert.deepEqual(root.resolve('alice:audio'), { ...root.resolve('alice'), gid: 29, groups: [] });
  assert.deepEqual(root.resolve('alice:audio', 'wheel', '77', '77').groups, [10, 77]);
});

test("resolveUser: what is unknown or out of range is invalid, in Docker's words", () => {
  using root = new Root({ passwd, group });
  assert.throws(() => root.resolve('bob'), /unable to find user bob: no matching entries in passwd file/);
  assert.throws(() => root.resolve('alice:x'), /unable to find group x: no matching entries in group file/);
  for (const id of ['-1', '4294967295', '2147483648', '99999999999999999999']) {
    assert.throws(() => root.resolve(id), /uids and gids must be in range 0-2147483647/);
    assert.throws(() => root.resolve(`alice:${id}`), /must be in range/);
  }
  assert.throws(() => root.resolve('evil'), /unable to find user evil/);
  assert.throws(() => root.resolve('a:b:c'), /invalid user/);
});

test('resolveUser: an image without databases has root only', () => {
  using root = new Root();
  assert.deepEqual(root.resolve(''), { uid: 0, gid: 0, groups: [], home: '/', username: undefined });
  assert.equal(root.resolve('5:6').gid, 6);
});

test('resolveUser: reads inside of the root only, and only regular files of a decent size', () => {
  using root = new Root();
  symlinkSync('/etc/passwd', join(root.path, 'etc/passwd'));
  assert.throws(() => root.resolve('root'), /ELOOP/);
  using host = new Root();
  symlinkSync('../../../../../../etc/hostname', join(host.path, 'etc/passwd'));
  assert.throws(() => host.resolve('root'), /unable to find user root/);
  using fifo = new Root();
  execFileSync('mkfifo', [join(fifo.path, 'etc/passwd')]);
  assert.equal(fifo.resolve('').uid, 0);
  using large = new Root({ passwd: `${'x'.repeat(5 << 20)}\n` });
  assert.throws(() => large.resolve(''), /larger than/);
});

test('resolveUser: never gives an id out of range, whatever the databases say', () => {
  using root = new Root();
  const field = fc.oneof(
    fc.constantFrom('0', '-1', '4294967295', '00', '1e3', 'root', ''),
    fc.string({ maxLength: 6 }),
  );
  const lines = fc.array(
    fc.array(field, { maxLength: 8 }).map((fields) => fields.join(':')),
    { maxLength: 5 },
  );
  fc.assert(
    fc.property(lines, lines, field, (passwdLines, groupLines, user) => {
      writeFileSync(join(root.path, 'etc/passwd'), passwdLines.join('\n'));
      writeFileSync(join(root.path, 'etc/group'), groupLines.join('\n'));
      try {
        const { uid, gid, groups } = root.resolve(user);
        for (const id of [uid, gid, ...groups])
          assert.ok(Number.isInteger(id) && id >= 0 && id <= 0x7fffffff);
      } catch (error) {
        assert.ok(error instanceof EngineError && error.kind === 'invalid', String(error));
      }
    }),
  );
});
