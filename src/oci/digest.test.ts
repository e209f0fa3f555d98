import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { algorithmOf, digestOf, hexOf, isDigest, parseDigest } from './digest.ts';

test('digestOf: gives the SHA-256 of the bytes in a form that parseDigest accepts', () => {
  assert.equal(digestOf('abc'), 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const digest = digestOf(bytes);
      assert.equal(parseDigest(digest), digest);
      assert.equal(`${algorithmOf(digest)}:${hexOf(digest)}`, digest);
    }),
  );
});

test('parseDigest: refuses what is not a digest, in the words of Docker', () => {
  const hex = 'a'.repeat(64);
  assert.throws(() => parseDigest(`md5:${'a'.repeat(32)}`), /^EngineError: unsupported digest algorithm$/);
  assert.throws(() => parseDigest(`sha256:${hex}0`), /invalid checksum digest length/);
  for (const text of ['', 'sha256', 'sha256:', `sha256:${hex.toUpperCase()}`, `sha256:../${hex.slice(3)}`]) {
    assert.throws(() => parseDigest(text), /invalid checksum digest format/, text);
  }
});

test('isDigest: what it accepts can be a file name', () => {
  const almost = fc.tuple(
    fc.constantFrom('sha256', 'sha384', 'sha512', 'sha1', '..'),
    fc.oneof(fc.string(), fc.stringMatching(/^(?:[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})$/)),
  );
  fc.assert(
    fc.property(almost, ([algorithm, value]) => {
      const text = `${algorithm}:${value}`;
      if (isDigest(text)) assert.match(text, /^sha(?:256|384|512):[0-9a-f]+$/);
    }),
  );
});
