import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { silentLogger } from '#/base/log.ts';
import { digestOf } from '#/oci/digest.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { until } from '#tests/until.ts';
import type { EndpointConfig } from '../config/edges.ts';
import type { Fact } from '../observer.ts';
import { eventsOf, type RegistryEvent } from './envelope.ts';
import { EventQueue } from './event-queue.ts';
import { Notifier } from './notifier.ts';

const source = { address: 'reg.example', instance: 'one', origin: 'https://reg.example' };
const actor = { user: 'alice', remote: '192.0.2.1', agent: 'docker/28' };
const backoff = { first: 5, longest: 20 };

function pushed(tag: string): Fact {
  return {
    kind: 'manifestPushed',
    repository: 'team/app',
    digest: digestOf(tag),
    size: 7,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    tags: [tag],
    actor,
  };
}

/** An endpoint that answers as `status` says and remembers what it took. */
class Receiver implements AsyncDisposable {
  readonly tags: string[] = [];
  readonly requests: { type: string | undefined; secret: string | undefined; events: RegistryEvent[] }[] = [];
  status = 200;
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
    server.on('request', (request, response) => {
      void text(request).then((body) => {
        const { events } = JSON.parse(body) as { events: RegistryEvent[] };
        const { 'content-type': type, authorization: secret } = request.headers;
        this.requests.push({ type, secret, events });
        if (this.status === 200) this.tags.push(...events.map(({ target }) => target.tag ?? ''));
        response.writeHead(this.status, { location: '/elsewhere' }).end();
      });
    });
  }

  static async start(): Promise<Receiver> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Receiver(server);
  }

  config(queue = 100): EndpointConfig {
    const { port } = this.#server.address() as AddressInfo;
    const url = new URL(`http://127.0.0.1:${port}/hook`);
    return {
      name: 'ci',
      url,
      headers: { authorization: 'Bearer x' },
      timeout: 5000,
      queue,
      ignore: ['pull'],
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close().closeAllConnections();
    await once(this.#server, 'close');
  }
}

test('Notifier: tells in order and once, with the headers and without what is ignored', async () => {
  await using receiver = await Receiver.start();
  using queue = new EventQueue(':memory:');
  await using notifier = new Notifier({
    endpoints: [receiver.config(1000)],
    queue,
    source,
    log: silentLogger(),
    backoff,
  });
  const tags = Array.from({ length: 120 }, (_, n) => `t${n}`);
  for (const tag of tags) {
    notifier.observe(pushed(tag));
    notifier.observe({ ...pushed(tag), kind: 'manifestPulled', tag } as Fact);
  }
  await until(() => receiver.tags.length >= 120, { what: 'all events' });
  assert.deepEqual(receiver.tags, tags);
  assert.equal(receiver.requests[0]?.type, 'application/vnd.docker.distribution.events.v2+json');
  assert.equal(receiver.requests[0]?.secret, 'Bearer x');
  await until(() => notifier.counts()[0]?.waiting === 0, { what: 'an empty queue' });
});

test('Notifier: tries again until it is taken, also after a restart; never follows redirects', async () => {
  using dir = scratchDir();
  await using receiver = await Receiver.start();
  const endpoints = [receiver.config()];
  {
    using queue = new EventQueue(dir.join('events.db'));
    await using notifier = new Notifier({ endpoints, queue, source, log: silentLogger(), backoff });
    for (const status of [500, 307, 404]) {
      receiver.status = status;
      notifier.observe(pushed(`t${status}`));
      const before = receiver.requests.length;
      await until(() => receiver.requests.length > before + 2, { what: 'further tries' });
    }
    assert.ok((notifier.counts()[0]?.failures ?? 0) >= 6);
    assert.deepEqual(receiver.tags, []);
  }
  receiver.status = 200;
  using queue = new EventQueue(dir.join('events.db'));
  await using _notifier = new Notifier({ endpoints, queue, source, log: silentLogger(), backoff });
  await until(() => receiver.tags.length >= 3, { what: 'the events of before' });
  assert.deepEqual(receiver.tags, ['t500', 't307', 't404']);
});

test('Notifier: a full queue drops the oldest events and counts them', async () => {
  await using receiver = await Receiver.start();
  receiver.status = 503;
  using queue = new EventQueue(':memory:');
  await using notifier = new Notifier({
    endpoints: [receiver.config(3)],
    queue,
    source,
    log: silentLogger(),
    backoff,
  });
  for (const tag of ['a', 'b', 'c', 'd', 'e']) notifier.observe(pushed(tag));
  await until(() => queue.count('ci') === 3, { what: 'the queue' });
  assert.equal(notifier.counts()[0]?.dropped, 2);
  receiver.status = 200;
  await until(() => receiver.tags.length >= 3, { what: 'the rest' });
  assert.deepEqual(receiver.tags, ['c', 'd', 'e']);
});

test('eventsOf: the envelope of each kind', () => {
  const digest = digestOf('x');
  const content = { repository: 'a', digest, size: 3, actor };
  const cases: [fact: Fact, action: string | undefined, target: object | undefined][] = [
    [pushed('v1'), 'push', { repository: 'team/app', tag: 'v1', size: 7, length: 7 }],
    [
      { ...content, kind: 'blobPushed' },
      'push',
      { mediaType: 'application/octet-stream', url: `https://reg.example/v2/a/blobs/${digest}` },
    ],
    [{ ...content, kind: 'blobMounted', from: 'b' }, 'mount', { fromRepository: 'b' }],
    [{ ...content, kind: 'blobPulled' }, 'pull', { digest }],
    [{ kind: 'blobDeleted', repository: 'a', digest, actor }, 'delete', { digest, repository: 'a' }],
    [{ kind: 'manifestDeleted', repository: 'a', digest, actor }, 'delete', { digest }],
    [{ kind: 'tagDeleted', repository: 'a', tag: 'v1', actor }, 'delete', { tag: 'v1' }],
    [{ kind: 'collected', blobs: 1, bytes: 1 }, undefined, undefined],
  ];
  for (const [fact, action, target] of cases) {
    const [event] = eventsOf(fact, source);
    assert.equal(event?.action, action);
    if (event === undefined) continue;
    assert.deepEqual({ ...event.target, ...target }, event.target);
    assert.deepEqual(event.actor, { name: 'alice' });
    assert.deepEqual(event.source, { addr: 'reg.example', instanceID: 'one' });
    assert.match(event.id, /^[0-9a-f-]{36}$/);
  }
  assert.equal(eventsOf({ ...pushed('v1'), tags: ['v1', 'v2'] } as Fact, source).length, 2);
});
