import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough, Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import Docker from 'dockerode';
import { TestDaemon } from '#tests/daemon.ts';
import { until } from '#tests/until.ts';

let daemon: TestDaemon;
let docker: Docker;

before(async () => {
  daemon = await TestDaemon.start();
  docker = new Docker({ socketPath: daemon.socket });
  await daemon.loadBusybox();
});

after(() => daemon[Symbol.asyncDispose]());

const busybox = (
  cmd: readonly string[],
  more: Docker.ContainerCreateOptions = {},
): Docker.ContainerCreateOptions => ({
  Image: 'busybox',
  Cmd: [...cmd],
  ...more,
});

/** Both streams of multiplexed output, as text. */
async function demux(stream: NodeJS.ReadableStream): Promise<{ stdout: string; stderr: string }> {
  const out = new PassThrough();
  const err = new PassThrough();
  docker.modem.demuxStream(stream, out, err);
  stream.once('end', () => {
    out.end();
    err.end();
  });
  const [stdout, stderr] = await Promise.all([text(out), text(err)]);
  return { stdout, stderr };
}

test('dockerode: ping, version, info, df', async () => {
  assert.equal(String(await docker.ping()), 'OK');
  const version = await docker.version();
  assert.deepEqual([version.ApiVersion, version.MinAPIVersion, version.Os], ['1.51', '1.24', 'linux']);
  const info = (await docker.info()) as { Containers: number; Images: number; Driver: string };
  assert.deepEqual([info.Containers, info.Images, info.Driver], [0, 1, 'overlay2']);
  const usage = (await docker.df()) as { Images: unknown[]; Containers: unknown[] };
  assert.deepEqual([usage.Images.length, usage.Containers.length], [1, 0]);
});

test('dockerode: run() with output of its own streams', async () => {
  const said = { out: '', err: '' };
  const collect = (name: keyof typeof said): Writable =>
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        said[name] += chunk.toString();
        done();
      },
    });
  const [result, container] = (await docker.run(
    'busybox',
    ['sh', '-c', 'echo out; echo err >&2; exit 3'],
    [collect('out'), collect('err')],
    { Tty: false },
  )) as [{ StatusCode: number }, Docker.Container];
  assert.equal(result.StatusCode, 3);
  // It resolves when the container has ended; the output may come a little later.
  await until(() => said.out === 'out\n' && said.err === 'err\n', { what: 'both streams' });
  await container.remove();
});

test('dockerode: the life of a container', async () => {
  const container = await docker.createContainer(
    busybox(['sleep', '1000'], { name: 'life', Labels: { a: 'b' } }),
  );
  await container.start();
  await assert.rejects(container.start(), { statusCode: 304 });
  const { State, Name, Config } = await container.inspect();
  assert.deepEqual([State.Running, Name, Config.Labels], [true, '/life', { a: 'b' }]);
  const listed = await docker.listContainers({ filters: { label: ['a=b'] } });
  assert.deepEqual(
    listed.map(({ Names, State: state }) => [Names, state]),
    [[['/life'], 'running']],
  );
  await container.pause();
  assert.equal((await container.inspect()).State.Paused, true);
  await container.unpause();
  const top = async (): Promise<unknown> => {
    const { Titles, Processes } = (await container.top({ ps_args: '-o pid,args' })) as {
      Titles: string[];
      Processes: string[][];
    };
    return [Titles, Processes[0]?.slice(1)];
  };
  // Until it has become the program, its first process is the runtime's.
  await until(async () => isDeepStrictEqual(await top(), [['PID', 'COMMAND'], ['sleep 1000']]), {
    what: 'the program is the first process',
  });
  const stats = await container.stats({ stream: false });
  assert.equal(stats.pids_stats?.current, 1);
  await container.update({ Memory: 64 * 1024 * 1024, MemorySwap: 128 * 1024 * 1024 });
  assert.equal((await container.inspect()).HostConfig.Memory, 64 * 1024 * 1024);
  await container.rename({ name: 'renamed' });
  await container.restart({ t: 0 });
  await container.stop({ t: 0 });
  assert.deepEqual(await container.wait(), { StatusCode: 137 });
  await assert.rejects(container.stop(), { statusCode: 304 });
  await assert.rejects(container.kill(), { statusCode: 409 });
  await container.remove({ v: true });
  await assert.rejects(container.inspect(), { statusCode: 404, reason: 'no such container' });
});

test('dockerode: attach with stdin, half-closed by the client', async () => {
  const container = await docker.createContainer(
    busybox(['cat'], { OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true }),
  );
  const stream = await container.attach({
    stream: true,
    hijack: true,
    stdin: true,
    stdout: true,
    stderr: true,
  });
  const said = demux(stream);
  await container.start();
  stream.end('hello\n');
  assert.deepEqual(await said, { stdout: 'hello\n', stderr: '' });
  assert.deepEqual(await container.wait(), { StatusCode: 0 });
  await container.remove();
});

test('dockerode: logs, whole and followed', async () => {
  const container = await docker.createContainer(
    busybox(['sh', '-c', 'echo a; echo b >&2; read x; echo c'], { OpenStdin: true }),
  );
  await container.start();
  const followed = demux(await container.logs({ follow: true, stdout: true, stderr: true }));
  await until(async () => (await container.logs({ stdout: true, stderr: true })).includes('b\n'), {
    what: 'the first lines',
  });
  const input = await container.attach({ stream: true, hijack: true, stdin: true });
  input.write('x\n');
  assert.deepEqual(await followed, { stdout: 'a\nc\n', stderr: 'b\n' });
  const last = await container.logs({ stdout: true, tail: 1, timestamps: true });
  assert.match(last.subarray(8).toString(), /^\d{4}-\d\d-\d\dT[\d:.]+Z c\n$/);
  await container.remove({ force: true });
});

test('dockerode: exec', async () => {
  const container = await docker.createContainer(busybox(['sleep', '1000']));
  await container.start();
  const exec = await container.exec({
    Cmd: ['sh', '-c', 'cat; exit 7'],
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await exec.start({ hijack: true, stdin: true });
  const said = demux(stream);
  stream.end('in\n');
  assert.deepEqual(await said, { stdout: 'in\n', stderr: '' });
  const { ExitCode, Running } = await exec.inspect();
  assert.deepEqual([ExitCode, Running], [7, false]);
  await assert.rejects(container.exec({}), { statusCode: 400 });
  await container.remove({ force: true });
  await assert.rejects(container.exec({ Cmd: ['true'] }), { statusCode: 404 });
});

test('dockerode: images', async () => {
  const image = docker.getImage('busybox');
  await image.tag({ repo: 'copy', tag: '1' });
  const { RepoTags } = await image.inspect();
  assert.deepEqual(RepoTags, ['busybox:latest', 'copy:1']);
  assert.equal(((await image.history()) as unknown[]).length, 1);
  const saved = await docker.getImage('copy:1').get();
  const chunks = await Readable.from(saved).toArray();
  await docker.getImage('copy:1').remove();
  const loaded = await docker.loadImage(Readable.from(chunks));
  assert.match(await text(loaded), /Loaded image: copy:1/);
  const listed = await docker.listImages({ filters: { reference: ['copy'] } });
  assert.deepEqual(
    listed.map(({ RepoTags: tags }) => tags),
    [['copy:1']],
  );
  await docker.getImage('copy:1').remove();
  await assert.rejects(docker.getImage('copy:1').inspect(), { statusCode: 404 });
  const progress = await docker.importImage(Readable.from([Buffer.alloc(1024)]), { repo: 'empty', tag: '1' });
  const sink = new PassThrough();
  sink.resume();
  await pipeline(progress, sink);
  await docker.getImage('empty:1').remove();
});

test('dockerode: volumes and networks', async () => {
  const created = await docker.createVolume({ Name: 'vol', Labels: { a: 'b' } });
  assert.equal(created.name, 'vol');
  const { Volumes } = await docker.listVolumes({ filters: { label: ['a=b'] } });
  assert.deepEqual(
    Volumes.map(({ Name }) => Name),
    ['vol'],
  );
  const container = await docker.createContainer(
    busybox(['sh', '-c', 'echo x >/d/f'], { HostConfig: { Binds: ['vol:/d'] } }),
  );
  await assert.rejects(docker.getVolume('vol').remove(), { statusCode: 409 });
  await container.remove();
  await docker.getVolume('vol').remove();
  const networks = await docker.listNetworks();
  assert.deepEqual(networks.map(({ Name }) => Name).toSorted(), ['bridge', 'host', 'none']);
  await assert.rejects(docker.getNetwork('nope').inspect(), { statusCode: 404 });
});

test('dockerode: events', async () => {
  const events = await docker.getEvents({ filters: { type: ['volume'], event: ['create'] } });
  const first = once(events, 'data');
  const volume = await docker.createVolume({ Name: 'seen' });
  const [chunk] = (await first) as [Buffer];
  const { Type, Action, Actor } = JSON.parse(chunk.toString()) as {
    Type: string;
    Action: string;
    Actor: { ID: string };
  };
  assert.deepEqual([Type, Action, Actor.ID], ['volume', 'create', 'seen']);
  (events as Readable).destroy();
  await volume.remove();
});

test('dockerode: prune', async () => {
  await (await docker.createContainer(busybox(['true']))).inspect();
  const { ContainersDeleted } = await docker.pruneContainers();
  assert.equal(ContainersDeleted.length, 1);
  assert.equal((await docker.pruneContainers()).ContainersDeleted, null);
  const { ImagesDeleted } = await docker.pruneImages();
  assert.equal(ImagesDeleted, null);
});
