import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { scratchDir } from '#tests/scratch-dir.ts';
import { parseCredentials, S3Credentials } from './credentials.ts';
import { elements, elementText, encodeEntities } from './xml.ts';

const file = `
# ours
[default]
aws_access_key_id = AK1
aws_secret_access_key=SK1

[profile build]
aws_access_key_id = AK2
aws_secret_access_key = SK2
aws_session_token = T2
region = eu-central-1
`;

test('parseCredentials: profiles of a file as the AWS tools have it', () => {
  assert.deepEqual(parseCredentials(file, 'default'), {
    accessKeyId: 'AK1',
    secretAccessKey: 'SK1',
    sessionToken: undefined,
  });
  assert.deepEqual(parseCredentials(file, 'build'), {
    accessKeyId: 'AK2',
    secretAccessKey: 'SK2',
    sessionToken: 'T2',
  });
  assert.equal(parseCredentials(file, 'other'), undefined);
});

test('S3Credentials: from the environment, else from a file, which is read again when it changes', () => {
  using dir = scratchDir();
  const path = dir.join('credentials');
  const environment = { AWS_ACCESS_KEY_ID: 'A', AWS_SECRET_ACCESS_KEY: 'S' };
  const direct = new S3Credentials({ kind: 'environment' }, environment);
  assert.deepEqual(direct.keys, { accessKeyId: 'A', secretAccessKey: 'S', sessionToken: undefined });
  assert.throws(
    () => new S3Credentials({ kind: 'environment' }, { AWS_SHARED_CREDENTIALS_FILE: path }),
    /there are no keys for the bucket/,
  );
  writeFileSync(path, file);
  const shared = new S3Credentials(
    { kind: 'environment' },
    { AWS_SHARED_CREDENTIALS_FILE: path, AWS_PROFILE: 'build' },
  );
  assert.equal(shared.keys.accessKeyId, 'AK2');
  assert.throws(
    () => new S3Credentials({ kind: 'file', path, profile: 'x' }),
    /has no keys for the profile "x"/,
  );
  writeFileSync(path, file.replace('AK2', 'AK3'));
  assert.equal(shared.keys.accessKeyId, 'AK3');
});

test('elements: what was put into XML comes out again', () => {
  const plain = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\r'));
  fc.assert(
    fc.property(fc.array(plain), (texts) => {
      const xml = `<List a="b">${texts.map((text) => `<Key>${encodeEntities(text)}</Key><KeyCount>1</KeyCount>`).join('')}</List>`;
      assert.deepEqual(
        elements(xml, 'Key').map((text) => elementText(`<k>${text}</k>`, 'k')),
        texts,
      );
    }),
  );
});

test('elements: returns for any text', () => {
  const pieces = fc.constantFrom(
    '<Key>',
    '</Key>',
    '<Key',
    '>',
    'x',
    '&#x41;',
    '&amp;',
    '<Key a="b">',
    '&#99999999;',
  );
  fc.assert(
    fc.property(fc.array(pieces), (all) => {
      for (const text of elements(all.join(''), 'Key'))
        assert.equal(typeof elementText(`<a>${text}</a>`, 'a'), 'string');
    }),
  );
  assert.equal(elementText('<K>&#x41;&#66;&quot;&nope;&lt;</K>', 'K'), 'AB"&nope;<');
});
