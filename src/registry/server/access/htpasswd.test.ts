import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { hashSync } from 'bcryptjs';
import fc from 'fast-check';
import { isKind } from '#/base/errors.ts';
import { silentLogger } from '#/base/log.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { BcryptThread } from './bcrypt.ts';
import { Htpasswd, parseHtpasswd } from './htpasswd.ts';

const alice = `alice:${hashSync('wonderland', 4)}`;
const bob = `bob:${hashSync('builder', 4).replace('$2b$', '$2y$')}`;

/** A real thread that counts what it is asked. */
class CountingThread extends BcryptThread {
  asked = 0;

  override async compare(password: string, hash: string): Promise<boolean> {
    this.asked += 1;
    return await super.compare(password, hash);
  }
}

test('parseHtpasswd: users, comments and empty lines', () => {
  assert.deepEqual([...parseHtpasswd(`# ours\n\n${alice}\r\n${bob}\n`).keys()], ['alice', 'bob']);
});

test('parseHtpasswd: complaints name the line and never the hash', () => {
  const cases: [text: string, message: RegExp][] = [
    ['alice', /^line 1: is not of the form user:hash$/],
    [`\n:${bob}`, /^line 2: is not/],
    ['alice:$apr1$abc$def', /^line 1: the hash of "alice" is not bcrypt's/],
    ['alice:{SHA}abcdef', /^line 1: the hash of "alice" is not bcrypt's/],
    [`${alice}\n${alice}`, /^line 2: the user "alice" is there already$/],
    [alice.replace('$04$', '$31$'), /^line 1: the cost of "alice"'s hash is 31/],
  ];
  for (const [text, message] of cases) assert.throws(() => parseHtpasswd(text), { message });
});

test('parseHtpasswd: either users or a complaint, for any text', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string(), fc.constant(alice), fc.constant(bob))), (lines) => {
      try {
        for (const hash of parseHtpasswd(lines.join('\n')).values()) assert.match(hash, /^\$2[aby]\$/);
      } catch (error) {
        assert.ok(isKind(error, 'invalid'));
      }
    }),
  );
});

test('Htpasswd: checks passwords, remembers right ones for a while, compares also for unknown users', async () => {
  using dir = scratchDir();
  const path = dir.join('users');
  writeFileSync(path, `${alice}\n${bob}\n`);
  await using bcrypt = new CountingThread();
  let now = 0;
  const users = new Htpasswd({ path, remember: 1000, bcrypt, log: silentLogger(), now: () => now });
  assert.deepEqual(
    await Promise.all([
      users.check('alice', 'wonderland'),
      users.check('alice', 'wonderland'),
      users.check('bob', 'builder'),
    ]),
    [true, true, true],
  );
  assert.equal(bcrypt.asked, 2);
  assert.equal(await users.check('alice', 'wonderland'), true);
  assert.equal(bcrypt.asked, 2);
  assert.equal(await users.check('alice', 'builder'), false);
  assert.equal(await users.check('carol', 'wonderland'), false);
  assert.equal(bcrypt.asked, 4);
  now = 1001;
  assert.equal(await users.check('alice', 'wonderland'), true);
  assert.equal(bcrypt.asked, 5);
});

test('Htpasswd: a changed file counts at once, a broken one changes nothing', async () => {
  using dir = scratchDir();
  const path = dir.join('users');
  writeFileSync(path, `${alice}\n${bob}\n`);
  await using bcrypt = new BcryptThread();
  let now = 0;
  const users = new Htpasswd({ path, remember: 1e9, bcrypt, log: silentLogger(), now: () => now });
  assert.equal(await users.check('bob', 'builder'), true);
  writeFileSync(path, `bob:${hashSync('fixer', 4)}\n`);
  now += 1000;
  assert.equal(await users.check('bob', 'builder'), false);
  assert.equal(await users.check('bob', 'fixer'), true);
  assert.equal(await users.check('alice', 'wonderland'), false);
  writeFileSync(path, 'nonsense\n');
  now += 1000;
  assert.equal(await users.check('bob', 'fixer'), true);
  rmSync(path);
  now += 1000;
  assert.equal(await users.check('bob', 'fixer'), true);
  assert.throws(() => users.reload(), /^EngineError: auth\.htpasswd\.path: cannot read the users: ENOENT/);
});

test('BcryptThread: takes no more than it can check soon', async () => {
  await using bcrypt = new BcryptThread();
  const hash = hashSync('x', 4);
  const all = await Promise.allSettled(Array.from({ length: 80 }, () => bcrypt.compare('x', hash)));
  const refused = all.filter((each) => each.status === 'rejected');
  assert.equal(refused.length, 16);
  assert.ok(refused.every(({ reason }) => isKind(reason, 'unavailable')));
});
