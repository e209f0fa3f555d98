import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FrameDecoder } from '#/wire/frames.ts';
import { TestDaemon } from '#tests/daemon.ts';
import { TestContainers, valueOf } from '#tests/test-containers.ts';
import { until } from '#tests/until.ts';

let daemon: TestDaemon;
let containers: TestContainers;

before(async () => {
  daemon = await TestDaemon.start();
  containers = new TestContainers(daemon);
  await daemon.loadBusybox();
});

after(() => daemon[Symbol.asyncDispose]());

/** A connection that was taken over, and all that comes through it. */
class Hijacked {
  readonly socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  readonly #closed: Promise<unknown>;

  private constructor(socket: Socket) {
    this.socket = socket;
    this.#closed = once(socket, 'close');
    socket.on('end', () => socket.end());
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
    });
  }

  static async open(path: string, { headers = '', method = 'POST', body = '' } = {}): Promise<Hijacked> {
    const socket = connect({ path: daemon.socket, allowHalfOpen: true });
    const opened = new Hijacked(socket);
    await once(socket, 'connect');
    const content = body === '' ? '' : `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
    socket.write(`${method} ${path} HTTP/1.1\r\nHost: docker\r\n${headers}${content}\r\n${body}`);
    await until(() => opened.#bytes.includes('\r\n\r\n'), { what: `an answer to ${path}` });
    return opened;
  }

  get head(): string {
    return this.#bytes.subarray(0, this.#bytes.indexOf('\r\n\r\n')).toString();
  }

  get body(): Buffer {
    return this.#bytes.subarray(this.#bytes.indexOf('\r\n\r\n') + 4);
  }

  /** What comes until the daemon closes. */
  async rest(): Promise<Buffer> {
    await this.#closed;
    return this.body;
  }
}

const upgrade = 'Connection: Upgrade\r\nUpgrade: tcp\r\n';

function framesOf(bytes: Buffer): string {
  return [...new FrameDecoder().push(bytes)]
    .map(({ stream, data }) => `${stream}:${data.toString()}`)
    .join('');
}

test('attach: with Upgrade 101 and frames, without it 200 and the same bytes', async () => {
  const cases = [
    [
      upgrade,
      /^HTTP\/1\.1 101 UPGRADED\r\nContent-Type: application\/vnd\.docker\.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp/,
    ],
    ['', /^HTTP\/1\.1 200 OK\r\nContent-Type: application\/vnd\.docker\.raw-stream/],
  ] as const;
  for (const [headers, head] of cases) {
    const id = await containers.create({
      cmd: 'cat; echo end',
      config: { OpenStdin: true, StdinOnce: true },
    });
    const client = await Hijacked.open(`/containers/${id}/attach?stream=1&stdin=1&stdout=1&stderr=1`, {
      headers,
    });
    assert.match(client.head, head);
    await containers.post(`${id}/start`, 204);
    client.socket.write('hello\n');
    await until(() => client.body.includes('hello'), { what: 'the echo' });
    client.socket.end();
    assert.equal(framesOf(await client.rest()), 'stdout:hello\nstdout:end\n');
    assert.equal(await containers.exitCode(id), 0);
    await containers.remove(id);
  }
});

test('attach: old clients get the raw type; a terminal is never framed', async () => {
  const id = await containers.create({ cmd: 'echo hi', config: { Tty: true } });
  const client = await Hijacked.open(`/v1.41/containers/${id}/attach?stream=1&stdout=1`, {
    headers: upgrade,
  });
  assert.match(client.head, /^HTTP\/1\.1 101 UPGRADED\r\nContent-Type: application\/vnd\.docker\.raw-stream/);
  await containers.post(`${id}/start`, 204);
  assert.equal((await client.rest()).toString(), 'hi\r\n');
  await containers.remove(id);
});

test('attach: logs first, then the stream, nothing twice and nothing lost', async () => {
  const id = await containers.run({
    cmd: 'i=0; while [ $i -lt 400 ]; do echo $i; i=$((i+1)); done; read x; echo end',
    config: { OpenStdin: true },
  });
  const clients = await Promise.all(
    [1, 2, 3].map(() =>
      Hijacked.open(`/containers/${id}/attach?logs=1&stream=1&stdout=1&stderr=1`, { headers: upgrade }),
    ),
  );
  await containers.says(id, '399\n');
  const sender = await Hijacked.open(`/containers/${id}/attach?stream=1&stdin=1`, { headers: upgrade });
  sender.socket.write('go\n');
  const expected = `${Array.from({ length: 400 }, (_, i) => `${i}\n`).join('')}end\n`;
  for (const client of clients) {
    assert.equal(framesOf(await client.rest()).replaceAll('stdout:', ''), expected);
  }
  sender.socket.destroy();
  await containers.remove(id);
});

test('attach/ws: both ways through a WebSocket', async () => {
  const id = await containers.run({ cmd: 'read x; echo got $x', config: { OpenStdin: true } });
  const key = randomBytes(16).toString('base64');
  const client = await Hijacked.open(`/containers/${id}/attach/ws?stream=1&stdin=1&stdout=1`, {
    method: 'GET',
    headers: `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\nOrigin: http://localhost\r\n`,
  });
  assert.match(client.head, /^HTTP\/1\.1 101 /);
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  assert.ok(client.head.includes(`Sec-WebSocket-Accept: ${accept}`));
  const mask = randomBytes(4);
  const data = Buffer.from('abc\n').map((byte, i) => byte ^ (mask[i % 4] ?? 0));
  client.socket.write(Buffer.concat([Buffer.from([0x82, 0x80 | data.length]), mask, data]));
  await until(() => client.body.includes('got abc\n'), { what: 'the answer of the program' });
  client.socket.destroy();
  await containers.remove(id);
});

test('attach: clients that break the connection harm nobody, in either way of attaching', async () => {
  const id = await containers.run({
    cmd: 'yes | head -c 200000000; sleep 1000',
    config: { OpenStdin: true },
  });
  const websocket = {
    method: 'GET',
    headers:
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n',
  };
  const breaks: ((socket: Socket) => void)[] = [
    (socket) => socket.destroy(),
    (socket) => socket.end(Buffer.from([0xff, 0xff, 0xff, 0xff])),
    (socket) => socket.end(),
  ];
  for (const path of ['attach/ws', 'attach']) {
    for (const hangUp of breaks) {
      for (let delay = 0; delay < 4; delay += 1) {
        const options = path === 'attach' ? { headers: upgrade } : websocket;
        const query = '?stream=1&stdin=1&stdout=1&stderr=1';
        const client = await Hijacked.open(`/containers/${id}/${path}${query}`, options);
        client.socket.on('error', () => {});
        await sleep(delay * 5);
        hangUp(client.socket);
        client.socket.destroy();
      }
    }
  }
  assert.equal((await daemon.ask('GET', '/_ping')).status, 200);
  await containers.remove(id);
});

test('attach/ws: not without a WebSocket', async () => {
  const id = await containers.create();
  assert.equal((await daemon.ask('GET', `/containers/${id}/attach/ws?stream=1`)).status, 400);
  await containers.remove(id);
});

test('resize: the program sees the new size of its terminal', async () => {
  const id = await containers.run({
    cmd: 'trap "stty size" WINCH; echo ready; while :; do sleep 0.05; done',
    config: { Tty: true, OpenStdin: true },
  });
  const log = async (): Promise<string> =>
    (await daemon.ask('GET', `/containers/${id}/logs?stdout=1`)).body.toString();
  await until(async () => (await log()).includes('ready'), { what: 'the program runs' });
  await containers.post(`${id}/resize?h=33&w=99`, 200);
  await until(async () => (await log()).includes('33 99'), { what: 'the new size' });
  await containers.remove(id);
});

test('exec: start in the three ways, inspect, resize, once only', async () => {
  const id = await containers.run();
  const create = async (request: object): Promise<string> =>
    ((await containers.post(`${id}/exec`, 201, request)) as { Id: string }).Id;
  const first = await create({
    Cmd: ['sh', '-c', 'cat; echo err >&2; exit 5'],
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
  });
  const start = JSON.stringify({ Detach: false, Tty: false });
  const client = await Hijacked.open(`/exec/${first}/start`, { headers: upgrade, body: start });
  assert.match(
    client.head,
    /^HTTP\/1\.1 101 UPGRADED\r\nContent-Type: application\/vnd\.docker\.multiplexed-stream/,
  );
  client.socket.end('in\n');
  assert.equal(framesOf(await client.rest()), 'stdout:in\nstderr:err\n');
  const inspected = valueOf(await daemon.ask('GET', `/exec/${first}/json`), 200) as Record<string, unknown>;
  assert.deepEqual(
    [
      inspected['ID'],
      inspected['Running'],
      inspected['ExitCode'],
      inspected['ContainerID'],
      inspected['OpenStdin'],
      inspected['ProcessConfig'],
    ],
    [
      first,
      false,
      5,
      id,
      true,
      { tty: false, entrypoint: 'sh', arguments: ['-c', 'cat; echo err >&2; exit 5'], privileged: false },
    ],
  );
  assert.equal((await daemon.ask('POST', `/exec/${first}/start`, {})).status, 409);

  const second = await create({ Cmd: ['sleep', '1000'], Tty: true, AttachStdout: true });
  assert.equal((await daemon.ask('POST', `/exec/${second}/start`, { Detach: true, Tty: true })).status, 200);
  assert.equal((await daemon.ask('POST', `/exec/${second}/resize?h=10&w=20`)).status, 200);
  assert.equal((await daemon.ask('POST', `/exec/${second}/start`, {})).status, 409);
  await containers.remove(id);
  assert.equal((await daemon.ask('GET', `/exec/${second}/json`)).status, 404);
});

test('wait: each condition', async () => {
  const id = await containers.create({
    cmd: 'read x; exit 4',
    config: { OpenStdin: true },
    host: { AutoRemove: true },
  });
  // The headers come when the wait has begun.
  const wait = (condition: string): Promise<Hijacked> =>
    Hijacked.open(`/containers/${id}/wait?condition=${condition}`, { headers: 'Connection: close\r\n' });
  assert.match((await (await wait('not-running')).rest()).toString(), /\{"StatusCode":0\}/);
  const waits = [await wait('next-exit'), await wait('removed')];
  const input = await Hijacked.open(`/containers/${id}/attach?stream=1&stdin=1`, { headers: upgrade });
  await containers.post(`${id}/start`, 204);
  waits.push(await wait('not-running'));
  input.socket.write('x\n');
  for (const answer of waits) assert.match((await answer.rest()).toString(), /\{"StatusCode":4\}/);
  await until(async () => (await containers.find(id)) === undefined, { what: 'auto-remove' });
  input.socket.destroy();
});

test('stats: one sample, and a stream that the client ends', async () => {
  const id = await containers.run({ name: 'measured', host: { Memory: 64 * 1024 * 1024 } });
  const sample = valueOf(await daemon.ask('GET', `/containers/${id}/stats?stream=0&one-shot=1`), 200) as {
    id: string;
    name: string;
    memory_stats: { usage: number; limit: number };
    pids_stats: { current: number };
    cpu_stats: { cpu_usage: { total_usage: number }; online_cpus: number };
    networks: Record<string, { rx_bytes: number }>;
  };
  assert.deepEqual(
    [sample.id, sample.name, sample.memory_stats.limit, sample.pids_stats.current],
    [id, '/measured', 64 * 1024 * 1024, 1],
  );
  assert.ok(sample.memory_stats.usage > 0 && sample.cpu_stats.cpu_usage.total_usage > 0);
  assert.deepEqual(Object.keys(sample.networks), ['eth0']);
  const stream = await Hijacked.open(`/containers/${id}/stats`, { method: 'GET' });
  await until(() => stream.body.toString().split('"read"').length > 2, { what: 'two samples' });
  stream.socket.destroy();
  assert.equal((await daemon.ask('GET', `/containers/${id}/stats?stream=1&one-shot=1`)).status, 400);
  await containers.remove(id);
});
