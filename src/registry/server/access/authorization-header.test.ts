import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAuthorization } from './authorization-header.ts';

function basic(text: string | Uint8Array): string {
  return `Basic ${Buffer.from(text).toString('base64')}`;
}

test('parseAuthorization: basic credentials', () => {
  assert.deepEqual(parseAuthorization(basic('alice:pass:word')), {
    kind: 'basic',
    username: 'alice',
    password: 'pass:word',
  });
  assert.deepEqual(parseAuthorization(basic(':').replace('Basic', 'bAsIc')), {
    kind: 'basic',
    username: '',
    password: '',
  });
});

test('parseAuthorization: whatever name and password are, they come back', () => {
  const printable = fc
    .string({ unit: 'grapheme' })
    .filter((text) => !/\p{Cc}/u.test(text) && text.isWellFormed());
  fc.assert(
    fc.property(
      printable.filter((text) => !text.includes(':')),
      printable,
      (username, password) => {
        assert.deepEqual(parseAuthorization(basic(`${username}:${password}`)), {
          kind: 'basic',
          username,
          password,
        });
      },
    ),
  );
});

test('parseAuthorization: bearer tokens', () => {
  assert.deepEqual(parseAuthorization('Bearer a.b-c_d~e+f/g=='), {
    kind: 'bearer',
    token: 'a.b-c_d~e+f/g==',
  });
  assert.deepEqual(parseAuthorization(undefined), { kind: 'none' });
});

test('parseAuthorization: what is malformed is said without quoting it', () => {
  const secret = 'hunter2';
  const headers = [
    '',
    'Basic',
    'Basic ',
    `Basic ${secret}!`,
    basic(secret),
    basic(Buffer.from([0xff, 0x3a])),
    basic(`a:${secret}\n`),
    `Bearer ${secret} ${secret}`,
    `Bearer ${secret}"`,
    `Digest ${secret}`,
    `Basic ${'A'.repeat(40_000)}`,
    secret,
  ];
  for (const header of headers) {
    const parsed = parseAuthorization(header);
    assert.equal(parsed.kind, 'malformed', header);
    assert.ok(parsed.kind === 'malformed' && !parsed.problem.includes(secret));
  }
});

test('parseAuthorization: returns for any text', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((text) => `Basic ${text}`),
      ),
      (header) => {
        assert.ok(['none', 'basic', 'bearer', 'malformed'].includes(parseAuthorization(header).kind));
      },
    ),
  );
});
