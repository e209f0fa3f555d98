import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseChallenges } from './challenge.ts';

const token = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,10}$/);
const challenge = fc.record({
  scheme: token,
  parameters: fc.uniqueArray(
    fc.record({ name: token, value: fc.string({ maxLength: 40 }), quoted: fc.boolean() }),
    {
      selector: ({ name }) => name.toLowerCase(),
      minLength: 1,
      maxLength: 4,
    },
  ),
});

test('parseChallenges reads all challenges of a header with all their parameters', () => {
  fc.assert(
    fc.property(
      fc.array(challenge, { maxLength: 3 }),
      fc.constantFrom(',', ', ', ' , '),
      (challenges, comma) => {
        const header = challenges
          .map(({ scheme, parameters }) => {
            const pairs = parameters.map(({ name, value, quoted }) =>
              !quoted && /^[A-Za-z0-9._-]+$/.test(value)
                ? `${name}=${value}`
                : `${name}="${value.replace(/["\\]/g, '\\$&')}"`,
            );
            return `${scheme} ${pairs.join(comma)}`;
          })
          .join(comma);
        assert.deepEqual(
          parseChallenges(header).map(({ scheme, parameters }) => ({ scheme, parameters: [...parameters] })),
          challenges.map(({ scheme, parameters }) => ({
            scheme: scheme.toLowerCase(),
            parameters: parameters.map(({ name, value }) => [name.toLowerCase(), value]),
          })),
        );
      },
    ),
  );
});

test('parseChallenges survives anything, in bounded time', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), (text) => {
      for (const { scheme, parameters } of parseChallenges(text)) {
        assert.ok(scheme.length > 0);
        assert.ok([...parameters.keys()].every((name) => name === name.toLowerCase()));
      }
    }),
  );
  for (const text of [
    'a="'.repeat(100_000),
    'a '.repeat(100_000),
    'a=b,'.repeat(100_000),
    '\\'.repeat(100_000),
  ]) {
    assert.ok(parseChallenges(text).length <= 8192);
  }
});

test('parseChallenges reads what registries send', () => {
  const hub =
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/busybox:pull,push",error="invalid_token"';
  const [bearer] = parseChallenges(hub);
  assert.equal(bearer?.scheme, 'bearer');
  assert.equal(bearer?.parameters.get('scope'), 'repository:library/busybox:pull,push');
  assert.deepEqual(
    parseChallenges('Basic realm="a, b", Bearer realm="https://x/", Negotiate').map(({ scheme }) => scheme),
    ['basic', 'bearer', 'negotiate'],
  );
  // The first of equal names counts: a second realm must not replace the one that was looked at.
  assert.equal(
    parseChallenges('Bearer realm="https://a/",realm="https://b/"')[0]?.parameters.get('realm'),
    'https://a/',
  );
});
