import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Attribute,
  decodeAttributes,
  decodeMessages,
  encodeAttributes,
  encodeMessage,
  type NetlinkMessage,
} from './message.ts';

const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
const type = fc.nat(0x3fff);

const message: fc.Arbitrary<NetlinkMessage> = fc.record(
  {
    type: fc.nat(0xffff),
    flags: fc.nat(0xffff),
    sequence: fc.nat(0xffffffff),
    payload: bytes,
  },
  { noNullPrototype: true },
);

const attribute: fc.Arbitrary<Attribute> = fc.letrec<{ node: Attribute; leaf: Attribute }>((tie) => ({
  leaf: fc.record({ type, value: bytes }),
  node: fc.oneof(
    { maxDepth: 3 },
    tie('leaf'),
    fc.record({ type, value: fc.array(tie('node'), { maxLength: 3 }) }),
  ),
})).node;

/** What the receiver of `sent` should find in `received`. */
function assertSame(received: Buffer, sent: readonly Attribute[]): void {
  const attributes = decodeAttributes(received);
  assert.deepEqual(
    attributes.map(([number]) => number),
    sent.map((one) => one.type),
  );
  attributes.forEach(([, value], index) => {
    const expected = sent[index]?.value ?? [];
    if (expected instanceof Uint8Array) assert.deepEqual(value, Buffer.from(expected));
    else assertSame(value, expected);
  });
}

test('decodeMessages: reads what encodeMessage wrote, many in one datagram', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 5 }), (messages) => {
      assert.deepEqual(decodeMessages(Buffer.concat(messages.map(encodeMessage))), messages);
    }),
  );
});

test('decodeAttributes: reads what encodeAttributes wrote, nested to any depth', () => {
  fc.assert(
    fc.property(fc.array(attribute, { maxLength: 4 }), (sent) => assertSame(encodeAttributes(sent), sent)),
  );
});

test('decodeMessages, decodeAttributes: any bytes give a result or an error about netlink, and end', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (array) => {
      for (const decode of [decodeMessages, decodeAttributes]) {
        try {
          assert.ok(decode(Buffer.from(array)).length <= array.length);
        } catch (error) {
          assert.match(String(error), /malformed netlink/);
        }
      }
    }),
    { numRuns: 2000 },
  );
});

test('decodeMessages, decodeAttributes: a cut message or attribute is refused', () => {
  const whole = encodeMessage({ type: 1, flags: 2, sequence: 3, payload: Buffer.from('12345678') });
  for (let length = 1; length < whole.length; length++) {
    assert.throws(() => decodeMessages(whole.subarray(0, length)), /malformed netlink/, `${length} bytes`);
  }
  const one = encodeAttributes([{ type: 1, value: Buffer.from('12345678') }]);
  for (let length = 1; length < one.length; length++) {
    assert.throws(() => decodeAttributes(one.subarray(0, length)), /malformed netlink/, `${length} bytes`);
  }
});

test('encodeAttributes: refuses a value that its length cannot tell', () => {
  assert.throws(() => encodeAttributes([{ type: 1, value: Buffer.alloc(65532) }]), RangeError);
});
