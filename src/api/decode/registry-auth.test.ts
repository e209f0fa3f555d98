import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeAuthHeader, toCredentials } from './registry-auth.ts';

const empty = {
  username: '',
  password: '',
  auth: '',
  serveraddress: '',
  identitytoken: '',
  registrytoken: '',
};

function encoded(text: string): string {
  return Buffer.from(text).toString('base64url');
}

test('decodeAuthHeader: reads back every name and password, padded or not', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), (username, password) => {
      const plain = Buffer.from(JSON.stringify({ username, password }));
      const expected = { ...empty, username: username.toWellFormed(), password };
      const padded = plain.toString('base64').replaceAll('+', '-').replaceAll('/', '_');
      for (const header of [plain.toString('base64url'), padded]) {
        assert.deepEqual(decodeAuthHeader(header), expected);
      }
    }),
  );
});

test('decodeAuthHeader: refuses everything else without telling what was in it', () => {
  const wrong: [string, RegExp][] = [
    ['%%%', /is not base64url/],
    ['a+b/', /is not base64url/],
    [encoded('secret'), /does not hold one JSON document/],
    [encoded('{"password":"secret"}{}'), /does not hold one JSON document/],
    [encoded('{"password":"secret"} x'), /does not hold one JSON document/],
    [encoded('["secret"]'), /cannot unmarshal array into Go value of type registry.AuthConfig/],
    [
      encoded('{"username":["secret"]}'),
      /cannot unmarshal array into Go struct field .username of type string/,
    ],
    [Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url'), /does not hold one JSON document/],
    ['A'.repeat(70_000), /more than 65536 characters/],
  ];
  for (const [header, message] of wrong) {
    assert.throws(
      () => decodeAuthHeader(header),
      (error: Error) => {
        assert.match(error.message, message);
        assert.doesNotMatch(JSON.stringify([error.message, String(error.cause)]), /secret/);
        return true;
      },
    );
  }
});

test('toCredentials: a token before a name and password, nothing is anonymous', () => {
  assert.deepEqual(toCredentials(empty), { kind: 'anonymous' });
  assert.deepEqual(toCredentials({ ...empty, username: 'u', password: 'p' }), {
    kind: 'basic',
    username: 'u',
    password: 'p',
  });
  assert.deepEqual(toCredentials({ ...empty, auth: btoa('u:p:q') }), {
    kind: 'basic',
    username: 'u',
    password: 'p:q',
  });
  assert.deepEqual(toCredentials({ ...empty, username: 'u', identitytoken: 't' }), {
    kind: 'identityToken',
    username: 'u',
    token: 't',
  });
  assert.deepEqual(toCredentials({ ...empty, username: 'u', password: 'p', registrytoken: 'r' }), {
    kind: 'registryToken',
    token: 'r',
  });
});
