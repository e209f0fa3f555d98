import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DetachFilter, parseDetachKeys } from './detach-keys.ts';

test('parseDetachKeys: letters, control keys and the standard', () => {
  assert.deepEqual(parseDetachKeys(''), [16, 17]);
  assert.deepEqual(parseDetachKeys('ctrl-a,x,ctrl-@,ctrl-_'), [1, 120, 0, 31]);
  assert.throws(() => parseDetachKeys('ctrl-ab'), { message: "Unknown character: 'ctrl-ab'" });
  assert.throws(() => parseDetachKeys('alt'), { message: "Unknown character: 'alt'" });
});

test('DetachFilter: what is typed goes through, the keys end it, however it is cut', () => {
  const typed = fc.array(fc.constantFrom(1, 2, 3), { maxLength: 30 });
  fc.assert(
    fc.property(typed, fc.array(fc.nat(30)), (bytes, cuts) => {
      const filter = new DetachFilter([1, 2]);
      const out: number[] = [];
      let detached = false;
      const points = [...new Set([0, ...cuts, bytes.length])]
        .filter((cut) => cut <= bytes.length)
        .sort((a, b) => a - b);
      for (const [index, from] of points.entries()) {
        if (detached) break;
        const result = filter.push(Uint8Array.from(bytes.slice(from, points[index + 1] ?? bytes.length)));
        out.push(...result.data);
        detached = result.detached;
      }
      const at = bytes.findIndex((byte, index) => byte === 1 && bytes[index + 1] === 2);
      assert.equal(detached, at >= 0);
      // A first key at the very end is still held back.
      const expected = at >= 0 ? bytes.slice(0, at) : bytes.at(-1) === 1 ? bytes.slice(0, -1) : bytes;
      assert.deepEqual(out, expected);
    }),
  );
});
