import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { unlessAborted } from '#/base/abort.ts';
import { invalid } from '#/base/errors.ts';
import type { BuildControl, BuildResult } from '#/builder/build.ts';
import { ArchiveContexts } from '#/builder/context/archive-contexts.ts';
import type { BuildRequest } from '#/builder/request.ts';
import { digestOf } from '#/oci/digest.ts';
import { serve, type TestServer } from '#tests/api-client.ts';
import { plainFacts } from '#tests/build-facts.ts';
import { fakeBackend } from '#tests/fake-backend.ts';
import { tarOf } from '#tests/images.ts';
import { type ScratchDir, scratchDir } from '#tests/scratch-dir.ts';
import { BuildSessions } from '../build/sessions.ts';
import { skiffBuildRoutes } from './skiff-build.ts';

type Build = (request: BuildRequest, control: BuildControl) => Promise<BuildResult>;

const session = '0123456789abcdef0123456789abcdef';
const image = digestOf(Buffer.from('image'));
const result: BuildResult = {
  image,
  metadata: new Map([
    ['image.name', 'x'],
    ['containerimage.descriptor', '{"size":1}'],
  ]),
  images: new Map(),
  facts: plainFacts,
  unusedArgs: [],
};

interface Opened extends AsyncDisposable {
  readonly server: TestServer;
  build(document: unknown): ReturnType<TestServer['ask']>;
  send(archive: Buffer, query?: string): ReturnType<TestServer['ask']>;
}

async function open(dir: ScratchDir, build: Build): Promise<Opened> {
  const archives = await ArchiveContexts.open({ root: dir.join('archives') });
  const sessions = new BuildSessions();
  const server = await serve(
    skiffBuildRoutes,
    fakeBackend({ builder: { build }, builds: { archives, sessions } }),
  );
  return {
    server,
    build: (body) => server.ask('POST', '/skiff/build', { body }),
    send: (archive, query = `session=${session}&name=context`) =>
      server.ask('POST', `/skiff/build/archive?${query}`, {
        body: archive.toString(),
        headers: { 'Content-Type': 'application/x-tar' },
      }),
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await sessions[Symbol.asyncDispose]();
    },
  };
}

const messages = (body: string): unknown[] =>
  body
    .trim()
    .split('\r\n')
    .map((line) => JSON.parse(line));

test('POST /skiff/build: the context may come before or after; what was made is told', async () => {
  using dir = scratchDir();
  const seen: string[] = [];
  await using opened = await open(dir, async ({ context }, { signal, progress }) => {
    const statuses: string[] = [];
    await using tree = await context.open(
      { excludes: [] },
      { signal, progress: ({ id, current }) => statuses.push(`${id} ${current > 0}`) },
    );
    seen.push(readFileSync(join(tree.root, 'a'), 'utf8'), ...statuses.slice(-1));
    await progress({ kind: 'vertex', digest: image, name: 'RUN x', inputs: [], cached: true });
    return result;
  });
  const document = { Session: session, Context: { Kind: 'files', Name: 'context' } };
  const archive = await tarOf({ a: 'content' });
  for (const isFirst of [true, false]) {
    const answers = isFirst
      ? [await opened.send(archive), await opened.build(document)]
      : await Promise.all([opened.send(archive), opened.build(document)]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      [204, 200],
    );
    assert.deepEqual(messages(answers[1]?.body ?? ''), [
      { aux: { vertexes: [{ digest: image, name: 'RUN x', cached: true }] } },
      {
        aux: { result: { image, metadata: { 'image.name': 'x', 'containerimage.descriptor': { size: 1 } } } },
      },
    ]);
  }
  assert.deepEqual(seen, ['content', 'transferring context: true', 'content', 'transferring context: true']);
  // The session has taken its files along.
  assert.deepEqual(readdirSync(dir.join('archives')), ['empty']);
});

test('POST /skiff/build: a document becomes a request; secrets are in no message', async () => {
  using dir = scratchDir();
  const asked: BuildRequest[] = [];
  await using opened = await open(dir, async (request) => {
    asked.push(request);
    throw invalid('it failed');
  });
  const { body } = await opened.build({
    Session: session,
    Context: { Kind: 'none' },
    Dockerfile: { Name: 'D', Content: btoa('FROM x') },
    NamedContexts: { base: { Kind: 'image', Reference: 'busybox' } },
    Names: ['x'],
    Args: { A: '1' },
    NetworkMode: 'none',
    Memory: 10_000_000,
    Secrets: { s: btoa('secret') },
    Agents: ['default'],
    Auths: { 'https://index.docker.io/v1/': { username: 'u', password: 'p' } },
    Outputs: [{ Type: 'image', Attributes: { name: 'y,z:1', push: 'true' } }, { Type: 'cacheonly' }],
    Entitlements: ['network.host'],
    Attestations: { provenance: 'mode=max' },
  });
  assert.deepEqual(messages(body), [
    { aux: { failure: {} }, errorDetail: { message: 'it failed' }, error: 'it failed' },
  ]);
  const [request] = asked;
  assert.ok(request !== undefined);
  const control = { signal: new AbortController().signal };
  assert.deepEqual(
    [
      request.dockerfile.kind === 'bytes' && request.dockerfile.bytes.toString(),
      request.namedContexts.get('base'),
      request.run.network,
      request.run.resources.memory,
      (await request.secrets.get('s', control))?.toString(),
      await request.secrets.get('t', control),
      await request.ssh.has('default', control),
      await request.ssh.has('other', control),
      await request.registryAuth.credentials('docker.io', control),
      request.outputs.map((output) => [
        output.kind,
        'names' in output ? output.names.map(({ path, tag }) => `${path}:${tag}`) : [],
      ]),
      [...request.entitlements],
      [...request.attestations],
    ],
    [
      'FROM x',
      { kind: 'image', reference: 'busybox' },
      { kind: 'none' },
      10_000_000,
      'secret',
      undefined,
      true,
      false,
      { kind: 'basic', username: 'u', password: 'p' },
      [
        ['registry', ['library/y:latest', 'library/z:1']],
        ['cacheonly', []],
      ],
      ['network.host'],
      [['provenance', 'mode=max']],
    ],
  );
});

test('POST /skiff/build: what is wrong with a document has a status, without what may be secret', async () => {
  using dir = scratchDir();
  await using opened = await open(dir, async () => result);
  const wrong: [document: unknown, status: number][] = [
    [{ Session: 'short', Context: { Kind: 'none' } }, 400],
    [{ Session: session }, 400],
    [{ Session: session, Context: { Kind: 'elsewhere' } }, 400],
    [{ Session: session, Context: { Kind: 'image', Reference: 'x' } }, 400],
    [{ Session: session, Context: { Kind: 'none' }, Secrets: { s: ['secret'] } }, 400],
    [{ Session: session, Context: { Kind: 'none' }, Names: ['UPPER'] }, 400],
    [{ Session: session, Context: { Kind: 'none' }, Platforms: ['a/b/c/d'] }, 400],
    [{ Session: session, Context: { Kind: 'none' }, Entitlements: ['everything'] }, 400],
    [{ Session: session, Context: { Kind: 'none' }, Outputs: [{ Type: 'tar' }] }, 400],
    [{ Session: session, Context: { Kind: 'none' }, Outputs: [{ Type: 'nope' }] }, 501],
  ];
  for (const [document, status] of wrong) {
    const answer = await opened.build(document);
    assert.equal(answer.status, status, `${JSON.stringify(document)}: ${answer.body}`);
    assert.doesNotMatch(answer.body, /secret"/);
  }
});

test('/skiff/build: parts of sessions that are wrong, or too many, are refused', async () => {
  using dir = scratchDir();
  await using opened = await open(dir, async () => result);
  const archive = await tarOf({ a: '' });
  const status = async (query: string): Promise<number> => (await opened.send(archive, query)).status;
  assert.equal(await status('session=guess&name=context'), 400);
  assert.equal(await status(`session=${session}`), 400);
  assert.equal(await status(`session=${session}&name=${'n'.repeat(300)}`), 400);
  assert.equal(await status(`session=${session}&name=context`), 204);
  assert.equal(await status(`session=${session}&name=context`), 400);
  const ask = (path: string): ReturnType<TestServer['ask']> => opened.server.ask('POST', path);
  assert.equal((await ask(`/skiff/build/files?session=${session}&name=unlisted`)).status, 400);
  assert.equal((await ask(`/skiff/build/context?session=${session}&name=x&key=short`)).status, 400);
  assert.equal((await ask(`/skiff/build/stream?session=${session}&name=x`)).status, 400);
  assert.equal((await ask(`/skiff/build/resize?session=${session}&h=1&w=70000`)).status, 400);
  assert.equal((await ask('/skiff/build/resize?session=guess&h=1&w=1')).status, 400);
  assert.equal((await ask(`/skiff/build/resize?session=${session}&h=1&w=1`)).status, 200);
});

test('POST /skiff/build: a context that fails to come, and a client that hangs up, end the build', async () => {
  using dir = scratchDir();
  const ended: string[] = [];
  const events = new EventTarget();
  await using opened = await open(dir, async ({ context }, { signal }) => {
    events.dispatchEvent(new Event('began'));
    try {
      await context.open({ excludes: [] }, { signal, progress: () => {} });
      return await unlessAborted(new Promise<BuildResult>(() => {}), signal);
    } catch (error) {
      ended.push((error as Error).message);
      events.dispatchEvent(new Event('ended'));
      throw error;
    }
  });
  const document = { Session: session, Context: { Kind: 'files', Name: 'context' } };
  const [answer, sent] = await Promise.all([
    opened.build(document),
    opened.send(Buffer.from('no archive at all'.repeat(100))),
  ]);
  assert.equal(sent.status, 400);
  assert.match(answer.body, /"error":"Cannot read archive/);
  const body = JSON.stringify(document);
  const head = `POST /skiff/build HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  const [socket] = await Promise.all([opened.server.raw(head + body), once(events, 'began')]);
  const gone = once(events, 'ended');
  socket.destroy();
  await gone;
  assert.equal(ended[1], 'the client hung up');
});
