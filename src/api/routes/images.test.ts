import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Events } from '#/engine/events.ts';
import { Images } from '#/engine/images.ts';
import { type Answer, serve, type TestServer } from '#tests/api-client.ts';
import { fakeBackend } from '#tests/fake-backend.ts';
import { dockerArchive, type ImageScratch, openImages, tarOf } from '#tests/images.ts';
import { imageRoutes } from './images.ts';

interface Scratch extends AsyncDisposable {
  readonly server: TestServer;
  readonly store: ImageScratch;
  get(path: string): Promise<Answer>;
  post(path: string, archive?: Buffer): Promise<Answer>;
}

async function open(): Promise<Scratch> {
  const store = await openImages();
  const users = { containersUsing: () => [] };
  const images = new Images({ ...store, users, events: new Events(), driver: 'vfs' });
  const server = await serve(imageRoutes, { ...fakeBackend({}), images });
  const headers = { 'Content-Type': 'application/x-tar' };
  return {
    server,
    store,
    get: (path) => server.ask('GET', path),
    // The archives of these tests are plain ASCII.
    post: (path, archive) => server.ask('POST', path, { headers, body: archive?.toString('latin1') ?? '' }),
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

function parsed(answer: Answer): unknown {
  assert.equal(answer.status, 200, answer.body);
  return JSON.parse(answer.body);
}

function lines(answer: Answer): unknown[] {
  assert.equal(answer.status, 200, answer.body);
  return answer.body
    .split('\r\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}

async function refused(answer: Promise<Answer>, status: number, message: string): Promise<void> {
  const { status: got, body } = await answer;
  assert.deepEqual([got, JSON.parse(body)], [status, { message }]);
}

test('POST /images/load: streams what was loaded, and what it replaced', async () => {
  await using s = await open();
  const archive = await dockerArchive(['a:1', 'b:1'], [await tarOf({ f: 'x' })]);
  assert.deepEqual(lines(await s.post('/v1.51/images/load', archive)), [
    { stream: 'Loaded image: a:1\n' },
    { stream: 'Loaded image: b:1\n' },
  ]);
  const previous = s.store.images.find('a:1').id;
  const other = await dockerArchive(['a:1'], [await tarOf({ f: 'y' })]);
  assert.deepEqual(lines(await s.post('/v1.51/images/load', other)), [
    { stream: `The image a:1 already exists, renaming the old one with ID ${previous} to empty string\n` },
    { stream: 'Loaded image: a:1\n' },
  ]);
  const unnamed = lines(
    await s.post('/v1.51/images/load', await dockerArchive([], [await tarOf({ f: 'z' })])),
  );
  assert.match(JSON.stringify(unnamed), /^\[\{"stream":"Loaded image ID: sha256:[0-9a-f]{64}\\n"\}\]$/);
});

test('POST /images/load: reports progress unless quiet', async () => {
  await using s = await open();
  const layer = await tarOf({ f: 'x' });
  const [progress] = lines(await s.post('/v1.51/images/load?quiet=0', await dockerArchive(['a:1'], [layer])));
  const { current, total } = (progress as { progressDetail: { current: number; total: number } })
    .progressDetail;
  assert.deepEqual([current, total], [layer.length, layer.length]);
});

test('POST /images/load: tells failures inside the stream', async () => {
  await using s = await open();
  const message = 'Cannot read archive: unexpected end of data';
  const answer = lines(await s.post('/v1.51/images/load', Buffer.from('hello world')));
  assert.deepEqual(answer, [{ errorDetail: { message }, error: message }]);
  await refused(
    s.post('/v1.51/images/load?platform=%7B%7D'),
    400,
    'both OS and Architecture must be provided',
  );
});

test('POST /images/create: imports from the body and answers the id', async () => {
  await using s = await open();
  const query =
    'fromSrc=-&repo=imp&tag=1&message=hi&changes=CMD%20x&changes=ENV%20A%3Db&platform=linux/arm64';
  const [answer] = lines(await s.post(`/v1.51/images/create?${query}`, await tarOf({ f: 'x' })));
  const { id, config } = s.store.images.find('imp:1').image;
  assert.deepEqual(answer, { status: id });
  assert.deepEqual(
    [config.architecture, config.comment, config.config],
    ['arm64', 'hi', { Cmd: ['/bin/sh', '-c', 'x'], Env: ['A=b'] }],
  );
  await refused(
    s.post('/v1.51/images/create?fromSrc=-&changes=RUN%20x'),
    400,
    'RUN is not a valid change command',
  );
  await refused(
    s.post('/v1.51/images/create?fromSrc=-&repo=Bad'),
    400,
    'invalid reference format: repository name (library/Bad) must be lowercase',
  );
  await refused(
    s.post('/v1.51/images/create?fromSrc=http://x/y'),
    501,
    'Importing from a URL is not implemented; fetch it and import with "-"',
  );
  await refused(
    s.post('/v1.51/images/create'),
    400,
    'one of the parameters fromImage and fromSrc is required',
  );
});

test('GET /images/get: an archive that can be loaded, or an error with a status of its own', async () => {
  await using s = await open();
  await s.post('/v1.51/images/load', await dockerArchive(['me/a:1', 'b:1'], [await tarOf({ f: 'x' })]));
  for (const path of [
    '/images/me/a:1/get',
    '/v1.24/images/get?names=me/a:1,b:1',
    '/images/get?names=me/a:1&names=b:1',
  ]) {
    const answer = await s.get(path);
    assert.deepEqual([answer.status, answer.headers['content-type']], [200, 'application/x-tar']);
    const loaded = lines(await s.post('/images/load', Buffer.from(answer.body)));
    assert.deepEqual(loaded[0], { stream: 'Loaded image: me/a:1\n' });
    assert.equal(loaded.length, path.includes('names') ? 2 : 1);
  }
  await refused(s.get('/images/get?names=b:1&names=nope'), 404, 'No such image: nope');
});

test('GET /images/json: every version of the API sees what it knows', async () => {
  await using s = await open();
  await s.post('/images/load', await dockerArchive(['a:1'], [await tarOf({ f: 'x' })]));
  await s.post(
    '/images/load',
    await dockerArchive([], [await tarOf({ f: 'yy' })], { created: '2026-01-01T00:00:00Z' }),
  );
  const list = async (version: string, query = ''): Promise<Record<string, unknown>[]> =>
    parsed(await s.get(`/v${version}/images/json?${query}`)) as Record<string, unknown>[];
  const fields = async (version: string): Promise<unknown> =>
    (await list(version)).map((image) => [
      image['Containers'],
      image['RepoTags'],
      image['RepoDigests'],
      image['VirtualSize'],
    ]);
  assert.deepEqual(await fields('1.51'), [
    [0, [], [], undefined],
    [0, ['a:1'], [], undefined],
  ]);
  assert.deepEqual(await fields('1.50'), [
    [-1, [], [], undefined],
    [-1, ['a:1'], [], undefined],
  ]);
  assert.deepEqual(await fields('1.43'), [
    [-1, [], [], 2],
    [-1, ['a:1'], [], 1],
  ]);
  assert.deepEqual(await fields('1.42'), [
    [-1, ['<none>:<none>'], ['<none>@<none>'], 2],
    [-1, ['a:1'], null, 1],
  ]);
  assert.equal((await list('1.40', 'filter=a')).length, 1);
  assert.equal((await list('1.41', 'filter=a')).length, 2);
  assert.deepEqual(
    (await list('1.51', 'shared-size=1')).map((image) => image['SharedSize']),
    [0, 0],
  );
  await refused(s.get('/images/json?filters=x'), 400, 'invalid filter');
});

test('GET /images/{name}/json: every version of the API sees what it knows', async () => {
  await using s = await open();
  await s.post('/images/load', await dockerArchive(['me/a:1'], [await tarOf({ f: 'x' })]));
  const inspect = async (version: string): Promise<Record<string, unknown>> =>
    parsed(await s.get(`/v${version}/images/me/a:1/json`)) as Record<string, unknown>;
  const newest = await inspect('1.51');
  assert.deepEqual(
    [newest['ContainerConfig'], newest['VirtualSize'], newest['Created']],
    [undefined, undefined, undefined],
  );
  assert.equal(Object.hasOwn(newest['Config'] as object, 'Hostname'), false);
  const old = await inspect('1.43');
  assert.deepEqual([old['VirtualSize'], old['Created']], [1, '0001-01-01T00:00:00Z']);
  assert.equal((old['Config'] as { Hostname: string }).Hostname, '');
  assert.deepEqual((old['ContainerConfig'] as { Cmd: null }).Cmd, null);
  const arm = encodeURIComponent('{"os":"linux","architecture":"riscv64"}');
  await refused(
    s.get(`/images/me/a:1/json?platform=${arm}`),
    404,
    'image with reference me/a:1 was found but its platform (linux/amd64) does not match the specified platform (linux/riscv64)',
  );
  await refused(
    s.get(`/images/me/a:1/json?manifests=1&platform=${arm}`),
    400,
    'conflicting options: manifests and platform options cannot both be set',
  );
  await refused(s.get('/images/nope/json'), 404, 'No such image: nope:latest');
  await refused(
    s.get('/images/Nope/history'),
    400,
    'invalid reference format: repository name (library/Nope) must be lowercase',
  );
});

test('platform, platforms: mistakes are told in the words of Docker; an image for another platform stays', async () => {
  await using s = await open();
  await s.post('/images/load', await dockerArchive(['a:1'], [await tarOf({ f: 'x' })]));
  const both = 'both OS and Architecture must be provided';
  for (const [text, problem] of [
    ['linux/amd64', "failed to parse platform: invalid character 'l' looking for beginning of value"],
    ['{}{}', "failed to parse platform: invalid character '{' after top-level value"],
    ['{"os":', 'failed to parse platform: unexpected end of JSON input'],
    [
      '{"os":1}',
      'failed to parse platform: json: cannot unmarshal number into Go struct field Platform.os of type string',
    ],
    ['1', 'failed to parse platform: json: cannot unmarshal number into Go value of type v1.Platform'],
    ['null', both],
    ['{"os":"linux"}', both],
  ] as const) {
    const value = encodeURIComponent(text);
    await refused(s.get(`/v1.51/images/a:1/json?platform=${value}`), 400, problem);
    await refused(s.server.ask('DELETE', `/v1.51/images/a:1?platforms=${value}`), 400, problem);
  }
  await refused(
    s.server.ask('DELETE', '/v1.51/images/a:1?platforms='),
    400,
    'failed to parse platform: unexpected end of JSON input',
  );
  const arm = encodeURIComponent('{"os":"linux","architecture":"arm","variant":"v7"}');
  const amd = encodeURIComponent('{"os":"linux","architecture":"amd64"}');
  await refused(
    s.server.ask('DELETE', `/v1.51/images/a:1?platforms=${amd}&platforms=${arm}`),
    400,
    'multiple platforms are not supported',
  );
  await refused(
    s.server.ask('DELETE', `/v1.51/images/a:1?platforms=${arm}`),
    404,
    'image with reference a:1 was found but its platform (linux/amd64) does not match the specified platform (linux/arm/v7)',
  );
  const mismatch = 'no suitable export target found for platform linux/arm/v7';
  await refused(s.get(`/v1.51/images/a:1/get?platform=${arm}`), 500, mismatch);
  assert.equal((await s.server.ask('DELETE', `/v1.51/images/a:1?platforms=${amd}`)).status, 200);
  await s.post('/images/load', await dockerArchive(['a:1'], [await tarOf({ f: 'x' })]));
  // Older clients do not have it.
  assert.equal((await s.server.ask('DELETE', `/v1.49/images/a:1?platforms=${arm}`)).status, 200);
});

test('POST /images/{name}/tag, DELETE, prune: statuses and bodies', async () => {
  await using s = await open();
  await s.post('/images/load', await dockerArchive(['a:1'], [await tarOf({ f: 'x' })]));
  const { id, chainId } = s.store.images.find('a:1').image;
  const tagged = await s.post('/images/a:1/tag?repo=me/b&tag=2');
  assert.deepEqual([tagged.status, tagged.body], [201, '']);
  assert.equal((parsed(await s.get('/images/me/b:2/history')) as unknown[]).length, 1);
  assert.deepEqual(parsed(await s.server.ask('DELETE', '/images/a:1')), [{ Untagged: 'a:1' }]);
  const filters = encodeURIComponent('{"dangling":["false"]}');
  assert.deepEqual(parsed(await s.post(`/images/prune?filters=${filters}`)), {
    ImagesDeleted: [{ Untagged: 'me/b:2' }, { Deleted: id }, { Deleted: chainId }],
    SpaceReclaimed: 1,
  });
  assert.deepEqual(parsed(await s.post('/images/prune')), { ImagesDeleted: null, SpaceReclaimed: 0 });
  await refused(s.server.ask('DELETE', '/images/a:1?force=1'), 404, 'No such image: a:1');
});

test('GET /images/json, /images/{name}/json: manifests are shown to clients that know them', async () => {
  await using s = await open();
  await s.post('/images/load', await dockerArchive(['a:1'], [await tarOf({ f: 'x' })]));
  const listed = async (version: string): Promise<object> =>
    (parsed(await s.get(`/v${version}/images/json?manifests=1`)) as object[])[0] ?? {};
  const inspected = async (version: string): Promise<object> =>
    parsed(await s.get(`/v${version}/images/a:1/json?manifests=1`)) as object;
  for (const [version, shown] of [
    ['1.46', false],
    ['1.47', true],
  ] as const) {
    assert.equal('Manifests' in (await listed(version)), shown, version);
  }
  for (const [version, shown] of [
    ['1.47', false],
    ['1.48', true],
  ] as const) {
    assert.equal('Manifests' in (await inspected(version)), shown, version);
  }
  assert.ok(!('Manifests' in ((parsed(await s.get('/images/json')) as object[])[0] ?? {})));
});
