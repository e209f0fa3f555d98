import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IgnoreRules, ignoreFileNames, parseIgnoreFile } from './ignore.ts';

function excluded(patterns: readonly string[], paths: readonly string[]): string[] {
  const rules = new IgnoreRules(patterns);
  return paths.filter((path) => rules.excludes(path));
}

test('parseIgnoreFile: comments, blanks, slashes, exceptions', () => {
  const text = '\ufeff# no\n\n a/b/ \n/c\n!  d/../e \n#x\n #y\r\n/\n./f\n../g\n!/h\n';
  assert.deepEqual(parseIgnoreFile(Buffer.from(text), '.dockerignore'), [
    'a/b',
    'c',
    '!e',
    '#y',
    '/',
    'f',
    '../g',
    '!h',
  ]);
});

test('ignoreFileNames: that of the Dockerfile first', () => {
  assert.deepEqual(ignoreFileNames('build/x.Dockerfile'), [
    'build/x.Dockerfile.dockerignore',
    '.dockerignore',
  ]);
});

test('IgnoreRules: what patterns match', () => {
  const cases: readonly (readonly [pattern: string, path: string, expected: boolean])[] = [
    ['**', 'file', true],
    ['**', 'dir/file', true],
    ['**/**', 'dir/file', true],
    ['dir/**', 'dir/file', true],
    ['dir/**', 'dir/dir2/file', true],
    ['dir/**', 'dir', false],
    ['**/dir', 'dir', true],
    ['**/dir2/*', 'dir/dir2/file', true],
    ['**/dir2/**', 'dir/dir2/dir2/file', true],
    ['**/file', 'dir/dir/file', true],
    ['**file', 'dir/myfile', true],
    ['**/file*', 'dir/dir/file.txt', true],
    ['**/file*txt', 'dir/dir/file.txt', true],
    ['**/file*.txt*', 'dir/dir/file.txt', true],
    ['**/**/*.txt', 'dir/dir/file.txt', true],
    ['**/**/*.txt2', 'dir/dir/file.txt', false],
    ['**/*.txt', 'file.txt', true],
    ['a**/*.txt', 'a/file.txt', true],
    ['a**/*.txt', 'a/dir/file.txt', true],
    ['a[b-d]e', 'ae', false],
    ['a[b-d]e', 'ace', true],
    ['a[^b-d]e', 'aze', true],
    ['.*', '.foo', true],
    ['.*', 'foo', false],
    ['abc.def', 'abcZdef', false],
    ['abc?def', 'abcZdef', true],
    ['abc\\def', 'abcdef', true],
    ['a\\\\', 'a\\', true],
    ['**/foo/bar', 'foo/bar', true],
    ['**/foo/bar', 'dir/dir2/foo/bar', true],
    ['abc/**', 'abc', false],
    ['abc/**', 'abc/def/ghi', true],
    ['**/.foo', 'bar.foo', false],
    ['a(b)c/def', 'a(b)c/def', true],
    ['a.|)$(}+{bc', 'a.|)$(}+{bc', true],
    [
      'dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl',
      'dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl',
      true,
    ],
    ['docs', 'docs/a/b', true],
    ['doc', 'docs', false],
    ['docs/', 'docs/a', true],
    ['/docs', 'docs', false],
    ['*/temp*', 'somedir/temporary.txt', true],
    ['*/temp*', 'somedir/x/temporary.txt', false],
    ['temp?', 'tempa/x', true],
    ['.', 'a', false],
    ['**a**b', 'a/ab', true],
  ];
  for (const [pattern, path, expected] of cases) {
    assert.equal(excluded([pattern], [path]).length === 1, expected, `${pattern} ${path}`);
  }
});

test('IgnoreRules: the last pattern that matches decides', () => {
  const paths = ['README.md', 'README-secret.md', 'x.md', 'docs/a.md', 'docs/b.txt', 'src/x'];
  assert.deepEqual(excluded(['*.md', '!README.md'], paths), ['README-secret.md', 'x.md']);
  assert.deepEqual(excluded(['*.md', '!README*.md', 'README-secret.md'], paths), [
    'README-secret.md',
    'x.md',
  ]);
  assert.deepEqual(excluded(['*.md', 'README-secret.md', '!README*.md'], paths), ['x.md']);
  assert.deepEqual(excluded(['*', '!docs'], paths), ['README.md', 'README-secret.md', 'x.md', 'src/x']);
  assert.deepEqual(excluded(['docs', '!docs/a.md'], paths), ['docs/b.txt']);
  assert.deepEqual(excluded(['**', '!**/*.md'], paths), ['docs/b.txt', 'src/x']);
});

test('IgnoreRules: tells folders that need not be entered', () => {
  const holds = (patterns: readonly string[], folder: string): boolean => {
    const rules = new IgnoreRules(patterns);
    const verdict = rules.judge(folder, rules.root);
    assert.equal(verdict.isExcluded, true, patterns.join(' '));
    return verdict.mayHoldOthers;
  };
  assert.equal(holds(['a'], 'a'), false);
  assert.equal(holds(['a', '!a/b/c'], 'a'), true);
  assert.equal(holds(['a', '!b'], 'a'), false);
  assert.equal(holds(['a', '!*.md'], 'a'), false);
  assert.equal(holds(['a', '!**/*.md'], 'a'), true);
  assert.equal(holds(['a', '!?/x'], 'a'), true);
  assert.equal(holds(['!a/b', 'a'], 'a'), false);
});

test('IgnoreRules: refuses malformed patterns', () => {
  assert.throws(() => new IgnoreRules(['!']), { kind: 'invalid', message: 'illegal exclusion pattern: "!"' });
  assert.throws(() => new IgnoreRules(['a[']), { kind: 'invalid', message: /syntax error in pattern/ });
});

/** A pattern as the regular expression that its rules describe. */
function slowPattern(pattern: string): (path: string) => boolean {
  if (/^\*\*[^*?[]*$/.test(pattern)) {
    return (path) => path.endsWith(pattern.slice(2)) || `/${path}` === pattern.slice(2);
  }
  const source = pattern
    .replace(/\*\*\/?$/, '\0')
    .replace(/\*\*\/?/g, '\x01')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]')
    .replaceAll('\x01', '(?:.*/)?')
    .replaceAll('\0', '.*');
  const expression = new RegExp(`^${source}$`, 's');
  return (path) => expression.test(path);
}

/** Docker's rules word by word, folder by folder. */
function slowExcludes(patterns: readonly string[], path: string): boolean {
  const parts = path.split('/');
  let parents: boolean[] = patterns.map(() => false);
  let isExcluded = false;
  for (let depth = 1; depth <= parts.length; depth += 1) {
    const part = parts.slice(0, depth).join('/');
    isExcluded = false;
    parents = patterns.map((pattern, index) => {
      const isException = pattern.startsWith('!');
      let matches = parents[index] ?? false;
      if (!matches && isException === isExcluded) {
        matches = slowPattern(isException ? pattern.slice(1) : pattern)(part);
      }
      if (matches) isExcluded = !isException;
      return matches;
    });
  }
  return isExcluded;
}

const piece = fc.constantFrom('a', 'b', 'ab', '*', '**', '?', '[ab]', '[^a]');
const pattern = fc
  .tuple(
    fc.boolean(),
    fc.array(fc.array(piece, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 }),
  )
  .map(([isException, segments]) => (isException ? '!' : '') + segments.map((s) => s.join('')).join('/'));
const path = fc
  .array(fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 5,
  })
  .map((parts) => parts.join('/'));

test('IgnoreRules: agree with the rules word by word', () => {
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 5 }), path, (patterns, name) => {
      assert.equal(new IgnoreRules(patterns).excludes(name), slowExcludes(patterns, name));
    }),
    { numRuns: 3000 },
  );
});

test('IgnoreRules: nothing is left out by folders that need not be entered', () => {
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 5 }), path, (patterns, name) => {
      const rules = new IgnoreRules(patterns);
      let state = rules.root;
      let isCut = false;
      const parts = name.split('/');
      for (let depth = 1; depth <= parts.length; depth += 1) {
        const verdict = rules.judge(parts.slice(0, depth).join('/'), state);
        if (isCut) assert.equal(verdict.isExcluded, true);
        isCut ||= verdict.isExcluded && !verdict.mayHoldOthers;
        state = verdict.state;
      }
    }),
    { numRuns: 3000 },
  );
});

test('IgnoreRules: take no longer for hostile patterns', () => {
  const name = `${'a/'.repeat(200)}a`;
  assert.deepEqual(excluded([`${'**/a/*'.repeat(50)}b`, `${'**a'.repeat(60)}b`], [name]), []);
});
