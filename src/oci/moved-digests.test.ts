import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf, hexOf } from './digest.ts';
import { type Moves, withMoves } from './moved-digests.ts';

const [old, now, other] = [digestOf('old'), digestOf('now'), digestOf('other')];
const moves: Moves = new Map([[old, { digest: now, size: 7 }]]);
const bounds = { what: 'test', maxBytes: 10_000 };

function moved(document: object): unknown {
  return JSON.parse(withMoves(Buffer.from(JSON.stringify(document)), moves, bounds).toString());
}

test('withMoves: descriptors, annotations, lists of digests and subjects name what there is now', () => {
  assert.deepEqual(
    moved({
      manifests: [
        { mediaType: 'm', digest: old, size: 1, annotations: { about: old, text: `is ${old}` } },
        { mediaType: 'm', digest: other, size: 2 },
      ],
      rootfs: { diff_ids: [other, old] },
      subject: [{ name: '_', digest: { sha256: hexOf(old) } }],
    }),
    {
      manifests: [
        { mediaType: 'm', digest: now, size: 7, annotations: { about: now, text: `is ${old}` } },
        { mediaType: 'm', digest: other, size: 2 },
      ],
      rootfs: { diff_ids: [other, now] },
      subject: [{ name: '_', digest: { sha256: hexOf(now) } }],
    },
  );
});

test('withMoves: what names nothing that has moved keeps its bytes', () => {
  const bytes = Buffer.from(`{ "digest" : "${other}",\n\n"size":1.0, "x": null }`);
  assert.equal(withMoves(bytes, moves, bounds), bytes);
});

test('withMoves: what is no JSON document within bounds is refused', () => {
  assert.throws(() => withMoves(Buffer.from('{'), moves, bounds), { kind: 'invalid' });
  assert.throws(() => withMoves(Buffer.from('['.repeat(50) + ']'.repeat(50)), moves, bounds), {
    kind: 'invalid',
  });
  assert.throws(() => withMoves(Buffer.from('{}'), moves, { ...bounds, maxBytes: 1 }), { kind: 'tooLarge' });
});
