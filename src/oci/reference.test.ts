import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  canonicalName,
  canonicalString,
  familiarName,
  familiarString,
  parseAnyReference,
  parseReference,
  withDefaultTag,
  withTag,
} from './reference.ts';

const hex = '7ac077e562beee0a488e94e8b0af8618124e93f632b56e5264137d95264da993';

test('parseReference: completes familiar names by the rules of Docker', () => {
  const complete: Readonly<Record<string, string>> = {
    busybox: 'docker.io/library/busybox',
    'busybox:1.36': 'docker.io/library/busybox:1.36',
    'me/app': 'docker.io/me/app',
    'docker.io/busybox': 'docker.io/library/busybox',
    'index.docker.io/me/app:x': 'docker.io/me/app:x',
    'localhost/app': 'localhost/app',
    'localhost:5000/app': 'localhost:5000/app',
    'reg.example/a/b/c:v1': 'reg.example/a/b/c:v1',
    'Host/app': 'Host/app',
    '[fd00::1]:5000/app:t': '[fd00::1]:5000/app:t',
    '127.0.0.1:80/x__y/z--w': '127.0.0.1:80/x__y/z--w',
    'my_team.tools/app': 'docker.io/my_team.tools/app',
    [`a/b:t@sha256:${hex}`]: `docker.io/a/b:t@sha256:${hex}`,
  };
  for (const [text, expected] of Object.entries(complete)) {
    assert.equal(canonicalString(parseReference(text)), expected);
  }
});

test('parseReference: refuses bad names in the words of Docker', () => {
  const wrong: readonly (readonly [string, string])[] = [
    ['', 'invalid reference format'],
    ['a b', 'invalid reference format'],
    ['-x', 'invalid reference format'],
    ['a:b:c', 'invalid reference format'],
    ['a/', 'invalid reference format'],
    ['a//b', 'invalid reference format'],
    ['a___b', 'invalid reference format'],
    ['a..b', 'invalid reference format'],
    ['../../etc/passwd', 'invalid reference format'],
    ['https://reg.example/a', 'invalid reference format'],
    ['x@sha256:abc', 'invalid reference format'],
    [`x@sha256:${hex}@sha256:${hex}`, 'invalid reference format'],
    [`x:${'t'.repeat(129)}`, 'invalid reference format'],
    ['[::1/a', 'invalid reference format'],
    ['BusyBox', 'invalid reference format: repository name (library/BusyBox) must be lowercase'],
    ['a/B:T', 'invalid reference format: repository name (a/B) must be lowercase'],
    ['a'.repeat(256), 'repository name must not be more than 255 characters'],
    [hex, `invalid repository name (${hex}), cannot specify 64-byte hexadecimal strings`],
    [`x@md5:${'a'.repeat(32)}`, 'unsupported digest algorithm'],
  ];
  for (const [text, message] of wrong) {
    assert.throws(() => parseReference(text), { kind: 'invalid', message }, text);
  }
});

test('parseAnyReference: takes whole identifiers with and without algorithm', () => {
  assert.equal(parseAnyReference(hex), `sha256:${hex}`);
  assert.equal(parseAnyReference(`sha256:${hex}`), `sha256:${hex}`);
  assert.deepEqual(parseAnyReference(hex.slice(0, 12)), parseReference(hex.slice(0, 12)));
});

test('withDefaultTag: adds latest only where neither tag nor digest is', () => {
  assert.equal(withDefaultTag(parseReference('a')).tag, 'latest');
  assert.equal(withDefaultTag(parseReference('a:b')).tag, 'b');
  assert.equal(withDefaultTag(parseReference(`a@sha256:${hex}`)).tag, undefined);
});

test('withTag: replaces tag and digest, and refuses what is not a tag', () => {
  assert.equal(familiarString(withTag(parseReference(`a:b@sha256:${hex}`), 'C-1')), 'a:C-1');
  for (const tag of ['', '-a', 'a/b', 'a:b', 'ä']) {
    assert.throws(() => withTag(parseReference('a'), tag), /invalid tag format/);
  }
});

const component = fc.stringMatching(/^[a-z0-9]{1,8}(?:(?:[._]|__|-{1,3})[a-z0-9]{1,8}){0,2}$/);
const reference = fc
  .tuple(
    fc.option(fc.constantFrom('localhost', 'reg.example:5000', '[::1]:80', 'docker.io', 'index.docker.io')),
    fc.array(component, { minLength: 1, maxLength: 4 }),
    fc.option(fc.stringMatching(/^\w[\w.-]{0,20}$/)),
    fc.option(fc.stringMatching(/^[0-9a-f]{64}$/)),
  )
  .filter(([domain, path]) => domain !== null || !/^[0-9a-f]{64}$/.test(path.join('/')))
  .map(([domain, path, tag, digest]) =>
    [domain === null ? '' : `${domain}/`, path.join('/'), tag && `:${tag}`, digest && `@sha256:${digest}`]
      .map((part) => part ?? '')
      .join(''),
  );

test('familiarString: both forms of a reference mean the same reference', () => {
  fc.assert(
    fc.property(reference, (text) => {
      const parsed = parseReference(text);
      assert.deepEqual(parseReference(familiarString(parsed)), parsed);
      assert.deepEqual(parseReference(canonicalString(parsed)), parsed);
      assert.equal(familiarName(parseReference(familiarName(parsed))), familiarName(parsed));
      assert.equal(canonicalName(parseReference(canonicalName(parsed))), canonicalName(parsed));
    }),
  );
});

test('parseReference: any text gives a reference or an error for people, quickly', () => {
  const text = fc.string({
    unit: fc.constantFrom(
      'a',
      'Z',
      '09',
      '.',
      '_',
      '-',
      '/',
      ':',
      '@',
      '[',
      ']',
      ' ',
      '\n',
      '\0',
      'é',
      'sha256:',
    ),
    maxLength: 300,
  });
  fc.assert(
    fc.property(text, (input) => {
      try {
        const parsed = parseReference(input);
        assert.doesNotMatch(canonicalString(parsed), /\s|\.\.|\/\//);
      } catch (error) {
        assert.equal((error as { kind?: string }).kind, 'invalid');
      }
    }),
  );
  assert.throws(() => parseReference(`${'a-'.repeat(2000)}!`), /invalid reference format/);
});
