import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeRegistryConfig } from './registry-config.ts';

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');
const basic = (username: string) => ({ kind: 'basic', username, password: 'p' });

test('decodeRegistryConfig: credentials by host, with Docker Hub under every name that it has', () => {
  const user = (username: string) => ({ username, password: 'p' });
  const found = decodeRegistryConfig(
    encoded({
      'https://index.docker.io/v1/': user('hub'),
      'reg.example:5000': user('exact'),
      'https://reg.example:5000/v2/': user('address'),
      'http://other.example/x': { auth: btoa('other:p') },
      'token.example': { identitytoken: 't' },
      'empty.example': {},
    }),
  );
  assert.deepEqual(
    [...found],
    [
      ['docker.io', basic('hub')],
      ['reg.example:5000', basic('exact')],
      ['other.example', basic('other')],
      ['token.example', { kind: 'identityToken', token: 't' }],
      ['empty.example', { kind: 'anonymous' }],
    ],
  );
  assert.deepEqual(
    [
      ...decodeRegistryConfig(
        encoded({ 'https://reg.example/': user('address'), 'reg.example': user('exact') }),
      ),
    ],
    [['reg.example', basic('exact')]],
  );
});

test('decodeRegistryConfig: both alphabets of base64, padded or not, and no credentials at all', () => {
  const config = { 'a.example': { username: '???>>>', password: '\u00ff~~~' } };
  const plain = Buffer.from(JSON.stringify(config));
  const expected = new Map([['a.example', { kind: 'basic', username: '???>>>', password: '\u00ff~~~' }]]);
  for (const header of [plain.toString('base64'), plain.toString('base64url')]) {
    assert.deepEqual(decodeRegistryConfig(header), expected);
  }
  for (const header of [encoded({}), encoded(null)]) assert.equal(decodeRegistryConfig(header).size, 0);
});

test('decodeRegistryConfig: refuses everything else without telling what was in it', () => {
  const many = Object.fromEntries(Array.from({ length: 1001 }, (_, index) => [`r${index}.example`, {}]));
  const wrong: [string, RegExp][] = [
    ['!!', /is not base64url/],
    [encoded('secret'), /cannot unmarshal string into Go value of type map/],
    [encoded(['secret']), /cannot unmarshal array into Go value of type map/],
    [encoded({ x: 'secret' }), /cannot unmarshal string into Go struct field .x of type registry.AuthConfig/],
    [encoded({ x: { password: ['secret'] } }), /of type string/],
    [Buffer.from('{"x":{}}{"secret":{}}').toString('base64'), /does not hold one JSON document/],
    [encoded(many), /more than 1000 registries/],
    ['A'.repeat(300_000), /more than 262144 characters/],
  ];
  for (const [header, message] of wrong) {
    assert.throws(
      () => decodeRegistryConfig(header),
      (error: Error) => {
        assert.match(error.message, message);
        assert.doesNotMatch(JSON.stringify([error.message, String(error.cause)]), /secret/);
        return true;
      },
    );
  }
});

test('decodeRegistryConfig: any text either decodes or is refused as invalid', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json().map((text) => Buffer.from(text).toString('base64')),
      ),
      (header) => {
        try {
          decodeRegistryConfig(header);
        } catch (error) {
          assert.equal((error as Error & { kind?: string }).kind, 'invalid');
        }
      },
    ),
  );
});
