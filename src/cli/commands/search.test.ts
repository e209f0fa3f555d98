import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { type ApiAnswer, type ApiCall, FakeApi } from '#tests/fake-api.ts';

const results = [
  {
    name: 'busybox',
    description: 'A description of\nmore\u001bthan one line, and of more than 45 characters',
    star_count: 12,
    is_official: true,
    is_automated: false,
  },
  { name: 'a/b', description: '', star_count: 0, is_official: false, is_automated: true },
];

function registry({ query }: ApiCall): ApiAnswer {
  if (query['limit'] === '1000')
    return { status: 400, message: 'limit 1000 is outside the range of [1, 100]' };
  return { json: results };
}

test('search: a table, with long descriptions cut', async () => {
  await using api = new FakeApi(registry);
  const { stdout } = await api.skiff(['search', 'busybox']);
  assert.equal(
    stdout,
    'NAME      DESCRIPTION                                     STARS     OFFICIAL\nbusybox   A description of more than one line, and of …   12        [OK]\na/b                                                       0         \n',
  );
  const { stdout: whole } = await api.skiff([
    'search',
    '--no-trunc',
    '--format',
    '{{.Description}}',
    'busybox',
  ]);
  assert.equal(whole, 'A description of more than one line, and of more than 45 characters\n\n');
  const { stdout: json } = await api.skiff(['search', '--format', 'json', 'busybox']);
  assert.deepEqual(JSON.parse(json.split('\n')[1] ?? ''), {
    Description: '',
    IsOfficial: 'false',
    Name: 'a/b',
    StarCount: '0',
  });
});

test('search: sends filters, the limit, and the credentials of the registry in the term', async () => {
  await using api = new FakeApi(registry);
  const auth = Buffer.from('me:secret').toString('base64');
  writeFileSync(api.config, JSON.stringify({ auths: { 'reg.example': { auth } } }));
  const args = ['-f', 'stars=3', '-f', 'is-official=true', '--limit', '7', 'reg.example/x'];
  assert.equal((await api.skiff(['search', ...args])).code, 0);
  const sent = api.calls[0];
  assert.deepEqual(sent?.query, {
    term: 'reg.example/x',
    limit: '7',
    filters: '{"stars":{"3":true},"is-official":{"true":true}}',
  });
  assert.deepEqual(JSON.parse(Buffer.from(String(sent?.headers['x-registry-auth']), 'base64').toString()), {
    username: 'me',
    password: 'secret',
    serveraddress: 'reg.example',
  });
  await api.skiff(['search', 'library/x']);
  assert.equal(api.calls[1]?.headers['x-registry-auth'], 'e30=');
});

test('search: goes on without credentials that cannot be read, and warns', async () => {
  await using api = new FakeApi(registry);
  writeFileSync(api.config, '{"credsStore": "nope"}');
  const { code, stderr } = await api.skiff(['search', 'x']);
  assert.equal(code, 0);
  assert.match(stderr, /^WARNING: going on without credentials for docker\.io: error getting credentials/);
});

test('search: what the daemon refuses', async () => {
  await using api = new FakeApi(registry);
  assert.deepEqual(await api.skiff(['search', '--limit', '1000', 'x']), {
    code: 1,
    stdout: '',
    stderr: 'Error response from daemon: limit 1000 is outside the range of [1, 100]\n',
  });
});
