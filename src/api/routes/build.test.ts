import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { unlessAborted } from '#/base/abort.ts';
import { internal, invalid } from '#/base/errors.ts';
import type { BuildControl, BuildResult } from '#/builder/build.ts';
import { ArchiveContexts } from '#/builder/context/archive-contexts.ts';
import type { BuildEvent } from '#/builder/progress.ts';
import type { BuildRequest } from '#/builder/request.ts';
import { StepError } from '#/builder/step-error.ts';
import { digestOf } from '#/oci/digest.ts';
import { serve, type TestServer } from '#tests/api-client.ts';
import { plainFacts } from '#tests/build-facts.ts';
import { fakeBackend } from '#tests/fake-backend.ts';
import { tarOf } from '#tests/images.ts';
import { type ScratchDir, scratchDir } from '#tests/scratch-dir.ts';
import { ClassicStates } from '../build/classic-states.ts';
import { RunningBuilds } from '../build/running-builds.ts';
import { buildRoutes } from './build.ts';

type Build = (request: BuildRequest, control: BuildControl) => Promise<BuildResult>;

const image = digestOf(Buffer.from('image'));
const result: BuildResult = {
  image,
  metadata: new Map(),
  images: new Map(),
  facts: plainFacts,
  unusedArgs: ['U', 'A'],
};
const plain = await tarOf({ Dockerfile: 'FROM x\n', 'sub/a': 'a' });

/** A server whose builder is `build`. */
async function open(dir: ScratchDir, build: Build): Promise<TestServer> {
  const archives = await ArchiveContexts.open({ root: dir.join('archives') });
  const builds = { archives, running: new RunningBuilds(), states: new ClassicStates() };
  return serve(buildRoutes, fakeBackend({ builder: { build }, builds }));
}

const post = (
  server: TestServer,
  query: string,
  { archive = plain, headers = {} }: { archive?: Buffer; headers?: Readonly<Record<string, string>> } = {},
) =>
  server.ask('POST', `/v1.51/build?${query}`, {
    body: archive.toString(),
    headers: { 'Content-Type': 'application/x-tar', ...headers },
  });

const plan: BuildEvent = {
  kind: 'plan',
  instructions: [{ text: 'FROM scratch', vertex: undefined, role: 'own', told: '' }],
};

const messages = (body: string): unknown[] =>
  body
    .trim()
    .split('\r\n')
    .map((line) => JSON.parse(line));

test('POST /build: the builder gets all of the request, the client what was made', async () => {
  using dir = scratchDir();
  const asked: BuildRequest[] = [];
  await using server = await open(dir, async (request, { progress }) => {
    asked.push(request);
    await progress(plan);
    return result;
  });
  const auth = Buffer.from(JSON.stringify({ 'reg.example': { username: 'u', password: 'p' } })).toString(
    'base64',
  );
  const { status, headers, body } = await post(server, 't=x:1&t=y&networkmode=host&squash=1', {
    headers: { 'X-Registry-Config': auth },
  });
  assert.equal(status, 200);
  assert.equal(headers['content-type'], 'application/json');
  assert.deepEqual(messages(body), [
    { stream: 'Step 1/1 : FROM scratch' },
    { stream: '\n' },
    { stream: ` ---> ${image.slice(7, 19)}\n` },
    { aux: { ID: image } },
    { stream: '[Warning] One or more build-args [A U] were not consumed\n' },
    { stream: `Successfully built ${image.slice(7, 19)}\n` },
    { stream: 'Successfully tagged x:1\n' },
    { stream: 'Successfully tagged y:latest\n' },
  ]);
  const [request] = asked;
  assert.ok(request !== undefined);
  const control = { signal: new AbortController().signal };
  assert.deepEqual(
    [
      request.dockerfile.kind === 'bytes' && request.dockerfile.bytes.toString(),
      request.squash,
      [...request.entitlements],
      request.outputs[0]?.kind,
      await request.registryAuth.credentials('reg.example', control),
      await request.registryAuth.credentials('docker.io', control),
      await request.secrets.get('x', control),
      await request.ssh.has('default', control),
    ],
    [
      'FROM x\n',
      true,
      ['network.host'],
      'image',
      { kind: 'basic', username: 'u', password: 'p' },
      { kind: 'anonymous' },
      undefined,
      false,
    ],
  );
});

test('POST /build: a quiet build says the id, and all of its words if it fails', async () => {
  using dir = scratchDir();
  let fails = false;
  await using server = await open(dir, async (_request, { progress }) => {
    await progress(plan);
    if (fails) throw invalid('placed', new StepError('/bin/sh -c exit 4', 4));
    return result;
  });
  assert.deepEqual(messages((await post(server, 'q=1&t=x')).body), [{ stream: `${image}\n` }]);
  fails = true;
  const message = "The command '/bin/sh -c exit 4' returned a non-zero code: 4";
  assert.deepEqual(messages((await post(server, 'q=1')).body), [
    { stream: 'Step 1/1 : FROM scratch' },
    { stream: '\n' },
    { errorDetail: { code: 4, message }, error: message },
  ]);
});

test('POST /build: what fails before the first step has a status, what fails later does not', async () => {
  using dir = scratchDir();
  await using server = await open(dir, async (request, { progress }) => {
    if (request.target === 'nope') throw invalid('target stage "nope" could not be found');
    await progress(plan);
    throw internal('the disk is full');
  });
  const refused: [query: string, archive: Buffer, message: string][] = [
    ['target=nope', plain, 'target stage "nope" could not be found'],
    ['dockerfile=nope', plain, 'Cannot locate specified Dockerfile: nope'],
    ['dockerfile=sub', plain, 'Cannot locate specified Dockerfile: sub'],
    ['dockerfile=../nope', plain, 'forbidden path outside the build context: ../nope ()'],
    ['', await tarOf({ Dockerfile: '' }), 'the Dockerfile (Dockerfile) cannot be empty'],
    ['', Buffer.alloc(0), 'Cannot locate specified Dockerfile: Dockerfile'],
    ['version=3', plain, 'invalid version "3"'],
    [
      'remote=client-session',
      plain,
      'experimental session with v1 builder is no longer supported, use builder version v2 (BuildKit) instead',
    ],
  ];
  for (const [query, archive, message] of refused) {
    const { status, body } = await post(server, query, { archive });
    assert.deepEqual([status, JSON.parse(body)], [400, { message }], query);
  }
  assert.equal((await post(server, '', { archive: Buffer.from('FROM x\n'.repeat(200)) })).status, 400);
  const { status, body } = await post(server, '');
  assert.equal(status, 200);
  assert.deepEqual(messages(body).at(-1), {
    errorDetail: { message: 'the disk is full' },
    error: 'the disk is full',
  });
});

test('POST /build: the Dockerfile may have capitals or not, and leave the context if it is ignored', async () => {
  using dir = scratchDir();
  let files: readonly string[] = [];
  await using server = await open(dir, async ({ context, dockerfile }, { signal }) => {
    await using tree = await context.open({ excludes: [] }, { signal, progress: () => {} });
    const { readdirSync } = await import('node:fs');
    files = readdirSync(tree.root, { recursive: true, encoding: 'utf8' }).sort();
    assert.equal(dockerfile.kind === 'bytes' && dockerfile.bytes.toString(), 'FROM y');
    return result;
  });
  const cases: [query: string, archive: Buffer, files: string[]][] = [
    ['', await tarOf({ dockerfile: 'FROM y' }), ['dockerfile']],
    [
      'dockerfile=/sub/../Dockerfile',
      await tarOf({ Dockerfile: 'FROM y', '.dockerignore': 'a\nDockerfile', a: '', b: '' }),
      ['.dockerignore', 'a', 'b'],
    ],
    [
      'dockerfile=sub/D',
      await tarOf({ 'sub/D': 'FROM y', '.dockerignore': '**', 'sub/x': '' }),
      ['sub', 'sub/x'],
    ],
  ];
  for (const [query, archive, expected] of cases) {
    const { status, body } = await post(server, query, { archive });
    assert.equal(status, 200, body);
    assert.deepEqual(files, expected);
  }
});

test('POST /build: a client that hangs up and one that cancels end the build', async () => {
  using dir = scratchDir();
  const ended: string[] = [];
  const began = new EventTarget();
  await using server = await open(dir, async (_request, { signal }) => {
    began.dispatchEvent(new Event('began'));
    try {
      return await unlessAborted(new Promise<BuildResult>(() => {}), signal);
    } catch (error) {
      ended.push((error as Error).message);
      began.dispatchEvent(new Event('ended'));
      throw error;
    }
  });
  const request = `POST /v1.51/build?buildid=one HTTP/1.1\r\nHost: x\r\nContent-Length: ${plain.length}\r\n\r\n`;
  const [socket] = await Promise.all([server.raw(request + plain.toString()), once(began, 'began')]);
  const gone = once(began, 'ended');
  socket.destroy();
  await gone;
  const [cancelled] = await Promise.all([
    Promise.all([post(server, 'buildid=two'), once(began, 'ended')]),
    once(began, 'began').then(() => server.ask('POST', '/build/cancel?id=two')),
  ]);
  assert.deepEqual(ended, ['the client hung up', 'the build was cancelled']);
  assert.equal(cancelled[0].status, 500);
  assert.equal((await server.ask('POST', '/build/cancel?id=unknown')).status, 200);
  assert.equal((await server.ask('POST', '/build/cancel')).status, 400);
});

test('POST /build/prune: what the query asks for, and what was removed', async () => {
  const asked: unknown[] = [];
  const prune: (request: unknown) => Promise<never> = async (request) => {
    asked.push(request);
    return { removed: asked.length === 1 ? [{ id: 'a' }] : [], reclaimed: 5 } as never;
  };
  await using server = await serve(
    buildRoutes,
    fakeBackend({ builder: { prune }, builds: { states: new ClassicStates() } }),
  );
  const filters = encodeURIComponent('{"type":["regular"],"until":["24h"]}');
  const full = await server.ask(
    'POST',
    `/build/prune?all=1&reserved-space=1&max-used-space=2&min-free-space=3&filters=${filters}`,
  );
  assert.deepEqual(JSON.parse(full.body), { CachesDeleted: ['a'], SpaceReclaimed: 5 });
  const none = await server.ask('POST', '/v1.40/build/prune?keep-storage=7');
  assert.deepEqual(JSON.parse(none.body), { CachesDeleted: null, SpaceReclaimed: 5 });
  assert.deepEqual(asked, [
    {
      all: true,
      filters: new Map([
        ['type', ['regular']],
        ['until', ['24h']],
      ]),
      reserved: 1,
      maxUsed: 2,
      minFree: 3,
    },
    { all: false, filters: new Map(), reserved: 7, maxUsed: undefined, minFree: undefined },
  ]);
  for (const [query, message] of [
    [
      'keep-storage=x',
      'keep-storage is in bytes and expects an integer, got x: strconv.Atoi: parsing "x": invalid syntax',
    ],
    ['filters=x', 'invalid filter'],
    ['filters={"until":["1s","2s"]}', 'failed to prune build cache: filters expect only one value'],
  ]) {
    const { status, body } = await server.ask('POST', `/build/prune?${encodeURI(query ?? '')}`);
    assert.deepEqual([status, JSON.parse(body)], [400, { message }]);
  }
});

test('POST /build/prune: what is wrong with filters is said of the cache', async () => {
  const prune = (): Promise<never> => Promise.reject(invalid("invalid filter 'x'"));
  await using server = await serve(buildRoutes, fakeBackend({ builder: { prune } }));
  const { status, body } = await server.ask('POST', '/build/prune');
  const message = "failed to prune build cache: invalid filter 'x'";
  assert.deepEqual([status, JSON.parse(body)], [400, { message }]);
});
