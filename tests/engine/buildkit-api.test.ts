import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { fromBinary } from '@bufbuild/protobuf';
import { methodPath } from '#/api/buildkit/grpc/server.ts';
import { GrpcError, grpcCodes } from '#/api/buildkit/grpc/status.ts';
import { BuildHistoryEventType, Control } from '#/api/buildkit/messages/control_pb.ts';
import { Packet_PacketType as kinds } from '#/api/buildkit/messages/fsutil_pb.ts';
import { StatusSchema } from '#/api/buildkit/messages/status_pb.ts';
import { hostPlatform } from '#/oci/platform.ts';
import { TestBuildKit, type TestSession } from '#tests/buildkit-client.ts';
import { TestDaemon } from '#tests/daemon.ts';
import { leakCheck } from '#tests/leak-check.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { until } from '#tests/until.ts';

const daemon = await TestDaemon.start();
after(() => daemon[Symbol.asyncDispose]());
await daemon.loadBusybox();

const never = new AbortController().signal;

/** A client with a context and a Dockerfile in it. */
async function clientOf(dockerfile: string, more: TestSession = {}): Promise<TestBuildKit & AsyncDisposable> {
  const dir = scratchDir();
  mkdirSync(dir.join('sub'));
  writeFileSync(dir.join('sub/a'), 'from the context');
  writeFileSync(dir.join('Dockerfile'), dockerfile);
  const directories = { context: dir.path, dockerfile: dir.path };
  const client = await TestBuildKit.connect(daemon.socket, { directories, ...more });
  const close = client[Symbol.asyncDispose].bind(client);
  return Object.assign(client, {
    [Symbol.asyncDispose]: async () => {
      await close();
      dir[Symbol.dispose]();
    },
  });
}

async function failureOf(work: Promise<unknown>): Promise<GrpcError> {
  return work.then(
    () => assert.fail('it succeeded'),
    (error: unknown) => {
      assert.ok(error instanceof GrpcError, String(error));
      return error;
    },
  );
}

test('Control.Solve: builds with files and secrets of the client, and tells of it', async () => {
  const dockerfile =
    'FROM busybox\nCOPY sub /sub\nRUN --mount=type=secret,id=s cat /sub/a /run/secrets/s; echo $X\n';
  await using client = await clientOf(`${dockerfile.replace('COPY', 'ARG X\nCOPY')}LABEL a=b\n`, {
    secrets: { s: ' and a secret ' },
  });
  const { response, progress } = await client.build({
    frontendAttrs: { 'build-arg:X': 'arg', 'label:c': 'd' },
    exporters: [{ type: 'moby', attrs: { name: 'built:1,built:2' } }],
  });
  const log = progress.flatMap(({ logs }) => logs.map(({ msg }) => Buffer.from(msg).toString())).join('');
  assert.equal(log, 'from the context and a secret arg\n');
  const vertexes = progress.flatMap((status) => status.vertexes);
  assert.ok(
    vertexes.some(({ name, completed }) => name.includes('COPY sub /sub') && completed !== undefined),
  );
  assert.equal(response['image.name'], 'docker.io/library/built:1,docker.io/library/built:2');
  const { value } = await daemon.json('GET', '/images/built:2/json');
  const image = value as { Id: string; Config: { Labels: object } };
  assert.equal(image.Id, response['containerimage.config.digest']);
  assert.deepEqual(image.Config.Labels, { a: 'b', c: 'd' });
  const events = client.rpc.stream(
    { ...Control.method.listenBuildHistory, path: '/moby.buildkit.v1.Control/ListenBuildHistory' },
    { signal: never },
  );
  await events.send({ earlyExit: true });
  events.end();
  const [last] = (await Array.fromAsync(events)).slice(-1);
  assert.equal(last?.record?.exporterResponse['containerimage.config.digest'], image.Id);
});

test('Control.Solve: sends an archive of the result to the client', async () => {
  await using client = await clientOf('FROM scratch\nCOPY sub /sub\n');
  await client.build({ exporters: [{ type: 'tar', attrs: {} }] });
  assert.ok(client.received.includes('from the context'));
  assert.ok(client.received.includes('sub/a'));
});

test('Control.Solve: a failure carries the place in the Dockerfile and the exit code', async () => {
  await using client = await clientOf('FROM busybox\nRUN exit 7\n');
  const failure = await failureOf(client.build({}));
  assert.equal(failure.code, grpcCodes.unknown);
  assert.equal(failure.message, 'process "/bin/sh -c exit 7" did not complete successfully: exit code: 7');
  const details = new Map(failure.details.map(({ type, value }) => [type, JSON.parse(String(value))]));
  const source = details.get('github.com/moby/buildkit/errdefs.Source+json');
  assert.equal(source.info.filename, 'Dockerfile');
  assert.deepEqual(source.ranges, [{ start: { line: 2 }, end: { line: 2 } }]);
  assert.deepEqual(details.get('github.com/moby/buildkit/gatewayapi.ExitMessage+json'), { Code: 7 });
});

test('Control.Solve: answers when the client has received all that there is to tell', async () => {
  // More than the client takes without reading, less than what makes the step wait for it.
  await using client = await clientOf('FROM busybox\nRUN head -c 6000000 /dev/zero | tr "\\0" x; exit 3\n');
  const options = { signal: never };
  const ref = randomUUID();
  const status = { ...Control.method.status, path: methodPath(Control.method.status) };
  using progress = client.rpc.stream(status, options);
  await progress.send({ ref });
  progress.end();
  const input = { ref, frontend: 'dockerfile.v0', session: client.session };
  let isAnswered = false;
  const solved = client.rpc.unary(Control.method.solve, input, options).catch((error: unknown) => {
    isAnswered = true;
    return error;
  });
  const history = {
    ...Control.method.listenBuildHistory,
    path: methodPath(Control.method.listenBuildHistory),
  };
  using events = client.rpc.stream(history, options);
  await events.send({ ref });
  events.end();
  for await (const { type } of events) if (type === BuildHistoryEventType.COMPLETE) break;
  await client.rpc.unary(Control.method.info, {}, options);
  assert.equal(isAnswered, false);
  let bytes = 0;
  for await (const { logs } of progress) for (const { msg } of logs) bytes += msg.length;
  assert.equal(bytes, 6_000_000);
  assert.match(String(await solved), /exit code: 3/);
});

test('ListenBuildHistory: a build stays with its log, provenance and error when the daemon starts anew', async () => {
  const refs: string[] = [];
  {
    await using client = await clientOf('FROM busybox\nARG X\nCOPY sub /sub\nRUN echo said; exit ${X:-0}\n');
    const made = await client.build({ exporters: [{ type: 'moby', attrs: {} }] });
    await failureOf(client.build({ frontendAttrs: { 'build-arg:X': '3' } }));
    const known = await client.history({ earlyExit: true });
    const events = known.slice(-2);
    for (const { record } of events) refs.push(record?.ref ?? '');
    const [done, failed] = events.map(({ record }) => record);
    assert.equal(done?.exporterResponse['containerimage.digest'], made.response['containerimage.digest']);
    const config = done?.result?.results['0'];
    assert.equal(config?.digest, made.response['containerimage.digest']);
    assert.equal(JSON.parse((await client.blob(config?.digest ?? '')).toString()).os, 'linux');
    const [statement] = done?.result?.attestations ?? [];
    assert.equal(statement?.annotations['in-toto.io/predicate-type'], 'https://slsa.dev/provenance/v0.2');
    const provenance = JSON.parse((await client.blob(statement?.digest ?? '')).toString());
    assert.deepEqual(provenance.invocation.parameters.locals, [{ name: 'context' }, { name: 'dockerfile' }]);
    assert.equal(provenance.buildConfig.llbDefinition.length, 5);
    assert.equal(failed?.error?.message.includes('exit code: 3'), true);
    const { details } = fromBinary(StatusSchema, await client.blob(failed?.externalError?.digest ?? ''));
    assert.deepEqual(
      details.map(({ typeUrl }) => typeUrl.split('/').at(-1)),
      ['errdefs.Source+json', 'gatewayapi.ExitMessage+json', 'errdefs.Vertex+json'],
    );
  }
  await daemon.down();
  await daemon.up();
  await using client = await clientOf('FROM scratch\n');
  const found = await client.history({
    earlyExit: true,
    filter: ['status==error', 'status==completed'],
    limit: 2,
  });
  assert.deepEqual(
    found.map(({ record }) => record?.ref),
    refs.toReversed(),
  );
  for (const ref of refs) {
    const log = (await client.status(ref)).flatMap(({ logs }) =>
      logs.map(({ msg }) => String(Buffer.from(msg))),
    );
    assert.equal(log.join(''), 'said\n');
    const { record } = (await client.history({ earlyExit: true, ref }))[0] ?? {};
    assert.match((await client.blob(record?.trace?.digest ?? '')).toString(), /^{"Name":"build",/);
    await client.rpc.unary(Control.method.updateBuildHistory, { ref, delete: true }, { signal: never });
    assert.deepEqual(await client.history({ earlyExit: true, ref }), []);
    const gone = await failureOf(client.blob(record?.trace?.digest ?? ''));
    assert.equal(gone.code, grpcCodes.notFound);
    const again = client.rpc.unary(
      Control.method.updateBuildHistory,
      { ref, delete: true },
      { signal: never },
    );
    assert.match((await failureOf(again)).message, /there is no build/);
  }
});

test('Control.ListWorkers: tells what can be built for, and by what the cache is collected', async () => {
  await using client = await clientOf('FROM scratch\n');
  const { record } = await client.rpc.unary(Control.method.listWorkers, {}, { signal: never });
  const [worker] = record;
  const { os, architecture } = hostPlatform();
  assert.deepEqual(
    worker?.platforms.slice(0, 1).map((platform) => [platform.os, platform.architecture]),
    [[os, architecture]],
  );
  const [old, more] = worker?.gcPolicy ?? [];
  assert.equal(old?.keepDuration, BigInt(60 * 24 * 3600) * 1_000_000_000n);
  assert.ok((more?.maxUsedSpace ?? 0n) > 0n);
});

test('Control.Solve: a failure for want of what the client does not lend says only that', async () => {
  const cases: [mount: string, message: string][] = [
    ['type=secret,id=nope,required', 'secret nope: not found'],
    ['type=ssh,id=nope,required', 'unset ssh forward key nope'],
  ];
  for (const [mount, message] of cases) {
    await using client = await clientOf(`FROM busybox\nRUN --mount=${mount} true\n`);
    assert.equal((await failureOf(client.build({}))).message, message);
  }
});

test('Content.Read: gives the part that is asked for, and refuses what is not there', async () => {
  await using client = await clientOf('FROM scratch\nCOPY sub /\n');
  await client.build({});
  const { record } = (await client.history({ earlyExit: true })).at(-1) ?? {};
  const digest = record?.logs?.digest ?? '';
  const whole = await client.blob(digest);
  assert.equal(BigInt(whole.length), record?.logs?.size);
  assert.deepEqual(await client.blob(digest, { offset: 3n, size: 5n }), whole.subarray(3, 8));
  assert.deepEqual(await client.blob(digest, { offset: BigInt(whole.length) - 2n }), whole.subarray(-2));
  for (const part of [{ offset: -1n }, { offset: 1n << 40n }, { size: -1n }]) {
    assert.match((await failureOf(client.blob(digest, part))).message, /there are no/);
  }
  assert.match((await failureOf(client.blob('sha256:../../etc/passwd'))).message, /is no digest/);
});

test('Control.Solve: refuses what is not implemented, and what makes no sense', async () => {
  await using client = await clientOf('FROM scratch\n');
  const cases: [object, RegExp][] = [
    [{ frontend: '', definition: { def: [Buffer.from([0x0a, 0])] } }, /build graphs \(LLB\)/],
    [{ frontend: 'gateway.v0', frontendAttrs: { source: 'evil/frontend' } }, /front end/],
    [{ frontendAttrs: { platform: 'a/b/c/d' } }, /platform/],
    [{ frontendAttrs: { 'add-hosts': 'x' } }, /invalid key-value pair x/],
    [{ exporters: [{ type: 'floppy', attrs: {} }] }, /exporter "floppy" could not be found/],
    [{ entitlements: ['everything'] }, /unknown entitlement/],
    [{ sourcePolicy: Buffer.from([8, 1]) }, /source policies/],
  ];
  for (const [input, message] of cases) {
    assert.match((await failureOf(client.build(input))).message, message, JSON.stringify(input));
  }
});

test('Control.Solve: a client that cancels or is killed ends its steps and leaves nothing', async () => {
  await leakCheck(daemon, async () => {
    for (const end of ['cancel', 'kill'] as const) {
      await using client = await clientOf(`FROM busybox\nRUN echo ${end}; sleep 1000\n`);
      const abort = new AbortController();
      const building = client.build({}, { signal: abort.signal });
      building.catch(() => {});
      await until(() => isSleeping(), { what: 'the step runs' });
      if (end === 'cancel') {
        abort.abort(new Error('enough'));
        await assert.rejects(building, /enough/);
      } else await client[Symbol.asyncDispose]();
      await until(() => !isSleeping(), { what: 'the step is gone' });
    }
  });
});

test('FileSync: trees of hostile clients are refused, and nothing of them stays', async () => {
  const directory = 2 ** 31;
  const symlink = 1 << 27;
  const hostile: [object[], RegExp][] = [
    [[{ path: '../escape', mode: 0o644 }], /has the component "\.\."/],
    [[{ path: '/etc/cron.d/x', mode: 0o644 }], /has an empty component/],
    [
      [
        { path: 'a', mode: symlink + 0o777, linkname: '/etc' },
        { path: 'a/passwd', mode: 0o644 },
      ],
      /which is no directory/,
    ],
    [[{ path: 'a', mode: 0o644, linkname: '/etc/shadow' }], /did not come before/],
    [
      [
        { path: 'd', mode: directory + 0o755 },
        { path: 'd/../x', mode: 0o644 },
      ],
      /has the component "\.\."/,
    ],
  ];
  for (const [stats, message] of hostile) {
    const evil: NonNullable<TestSession['directories']>[string] = async (stream) => {
      for (const stat of stats) await stream.send({ type: kinds.STAT, stat });
      for await (const _packet of stream);
    };
    await using client = await clientOf('FROM scratch\nCOPY . /\n', {
      directories: { context: evil, dockerfile: evil },
    });
    assert.match((await failureOf(client.build({}))).message, message);
  }
  assert.equal((await daemon.ask('GET', '/_ping')).status, 200);
});

test('FileSync: a session that breaks off ends the build', async () => {
  const asked = Promise.withResolvers<void>();
  await using client = await clientOf('FROM scratch\n', {
    directories: {
      context: '/nonexistent',
      dockerfile: async (stream) => {
        await stream.send({ type: kinds.STAT, stat: { path: 'Dockerfile', mode: 0o644, size: 100n } });
        await stream.send({ type: kinds.STAT });
        for await (const _packet of stream) asked.resolve();
      },
    },
  });
  const building = client.build({});
  building.catch(() => {});
  await asked.promise;
  client.breakSession();
  assert.match((await failureOf(building)).message, /closed/);
});

test('POST /session, POST /grpc: refuse what does not speak HTTP/2, and ids that are taken', async () => {
  for (const path of ['/grpc', '/session']) {
    assert.deepEqual((await daemon.json('POST', path)).value, { message: 'no upgrade proto in request' });
  }
  await using client = await clientOf('FROM scratch\n');
  const failure = await failureOf(
    client.build({ session: 'unknown-one' }, { signal: AbortSignal.timeout(60_000) }),
  );
  assert.match(failure.message, /no active session for "unknown-one"/);
});

/** Tells whether the program of a step of this test runs. */
function isSleeping(): boolean {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.some((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(
        'sleep 1000'.replace(' ', String.fromCharCode(0)),
      );
    } catch {
      return false;
    }
  });
}
