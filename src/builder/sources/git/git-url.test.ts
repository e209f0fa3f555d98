import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isKind } from '#/base/errors.ts';
import { parseGitUrl, submoduleAddress } from './git-url.ts';

const commit = 'a'.repeat(40);

function brief(text: string): unknown {
  const url = parseGitUrl(text);
  return url === undefined ? undefined : [url.remote, url.ref, url.subdir];
}

test('parseGitUrl: takes what Docker takes for git', () => {
  const cases: [string, unknown][] = [
    ['https://github.com/user/repo.git', ['https://github.com/user/repo.git', undefined, '']],
    ['http://host:8080/repo.git#main', ['http://host:8080/repo.git', 'main', '']],
    ['https://host/repo.git#v1.0:docker/build', ['https://host/repo.git', 'v1.0', 'docker/build']],
    ['https://host/repo.git#:sub', ['https://host/repo.git', undefined, 'sub']],
    [`https://host/repo.git#${commit}:a//./b/`, ['https://host/repo.git', commit, 'a/b']],
    ['git://host/repo#feature/x', ['git://host/repo', 'feature/x', '']],
    ['ssh://git@host:2222/repo.git', ['ssh://git@host:2222/repo.git', undefined, '']],
    ['git@github.com:user/repo.git#main:d', ['git@github.com:user/repo.git', 'main', 'd']],
    ['github.com/docker/buildx', ['https://github.com/docker/buildx', undefined, '']],
    ['https://host/r.git?branch=b&subdir=/x', ['https://host/r.git', 'refs/heads/b', 'x']],
    ['https://host/r.git?tag=t', ['https://host/r.git', 'refs/tags/t', '']],
    ['https://host/r.git?ref=pull/42/head', ['https://host/r.git', 'pull/42/head', '']],
    ['https://host/archive.tar.gz', undefined],
    ['https://host/repo', undefined],
    ['.', undefined],
    ['./git@host:x', undefined],
    ['C:\\x', undefined],
    ['docker-image://a', undefined],
    ['file:///srv/repo.git', undefined],
    ['ext::sh -c true', undefined],
  ];
  for (const [text, expected] of cases) assert.deepEqual(brief(text), expected, text);
});

test('parseGitUrl: reads the further members of a query', () => {
  const url = parseGitUrl('https://h/r.git?tag=v1&checksum=ABCDEF0&keep-git-dir=true&submodules=0');
  assert.deepEqual([url?.checksum, url?.keepGitDir, url?.submodules], ['abcdef0', true, false]);
});

test('parseGitUrl: takes credentials out of what is shown', () => {
  const url = parseGitUrl('https://user:s3cret%40@host/repo.git#main');
  assert.equal(url?.remote, 'https://host/repo.git');
  assert.deepEqual(url?.credentials, { username: 'user', password: 's3cret@' });
  assert.throws(
    () => parseGitUrl('https://user:s3cret@host/repo.git?x=1'),
    (error) => !String(error).includes('s3cret'),
  );
});

test('parseGitUrl: refuses references that are options or expressions, and directories outside', () => {
  for (const text of [
    'https://h/r.git#--upload-pack=x',
    'https://h/r.git#main..x',
    'https://h/r.git#main@{1}',
    'https://h/r.git#HEAD~1',
    'https://h/r.git#main:../../etc',
    'https://h/r.git#main:a/../../etc',
    'https://h/r.git#main:%2e%2e/etc',
    'https://h/r.git?subdir=..%2f..%2fetc',
    'https://h/r.git?upload=1',
    'https://h/r.git?branch=a&tag=b',
    'https://h/r.git?checksum=xyz',
    'ssh://-oProxyCommand=x/repo',
    'git@-oProxyCommand:repo',
    'git@host:-x',
    'https://h/r.git#a b',
  ]) {
    assert.throws(() => parseGitUrl(text), { kind: 'invalid' }, text);
  }
});

test('submoduleAddress: is absolute or relative, by the same protocols', () => {
  const parent = parseGitUrl('https://u:p@host/group/repo.git');
  const scp = parseGitUrl('git@host:group/repo.git');
  assert.ok(parent !== undefined && scp !== undefined);
  assert.equal(submoduleAddress(parent, '../other.git').remote, 'https://host/group/other.git');
  assert.equal(submoduleAddress(parent, '../../o/x').remote, 'https://host/o/x');
  assert.equal(submoduleAddress(scp, '../other.git').remote, 'git@host:group/other.git');
  assert.equal(submoduleAddress(scp, '../../other.git').remote, 'git@host:other.git');
  assert.equal(submoduleAddress(parent, '../other.git').credentials?.username, 'u');
  assert.equal(submoduleAddress(parent, 'https://else/x.git').credentials, undefined);
  for (const url of [
    '/srv/repo',
    'file:///srv/repo',
    'ext::sh -c id',
    '../../../../etc',
    '-x',
    '--upload-pack=x',
  ]) {
    assert.throws(() => submoduleAddress(parent, url), { kind: 'invalid' }, url);
  }
});

test('parseGitUrl: any text gives a URL inside its rules, nothing, or an error for people', () => {
  const piece = fc.constantFrom(
    'https://',
    'git@',
    'host',
    '/',
    '..',
    '.git',
    '#',
    ':',
    '?',
    '&',
    'subdir=',
    'ref=',
    '%2e',
    'a',
    '\0',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
      try {
        const url = parseGitUrl(pieces.join(''));
        if (url === undefined) return;
        assert.doesNotMatch(`/${url.subdir}/`, /\/\.\.\//);
        assert.doesNotMatch(url.subdir, /^\//);
      } catch (error) {
        assert.ok(isKind(error, 'invalid'), String(error));
      }
    }),
  );
});
