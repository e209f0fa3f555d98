import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import { freePort } from '#tests/ports.ts';
import { TestContainers } from '#tests/test-containers.ts';

let daemon: TestDaemon;
let containers: TestContainers;
const port = freePort();

before(async () => {
  daemon = await TestDaemon.start(['-H', `tcp://127.0.0.1:${port}`]);
  await daemon.loadBusybox();
  containers = new TestContainers(daemon);
});

after(() => daemon[Symbol.asyncDispose]());

/** A request over TCP with headers of our choice. */
function overTcp(path: string, headers: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    call.on('error', reject).end();
  });
}

/** A POST with exactly these bytes as JSON. */
function post(path: string, body: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json' };
    const options = { socketPath: daemon.socket, method: 'POST', path, headers, agent: false };
    const call = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    call.on('error', reject).end(body);
  });
}

test('requests: web pages and foreign host names are refused over TCP', async () => {
  assert.equal(await overTcp('/_ping', {}), 200);
  assert.equal(await overTcp('/_ping', { Host: 'localhost' }), 200);
  assert.equal(await overTcp('/_ping', { Origin: 'http://evil.example' }), 403);
  assert.equal(await overTcp('/_ping', { Origin: 'null' }), 403);
  assert.equal(await overTcp('/containers/json', { Host: 'rebound.evil.example' }), 403);
});

test('requests: what is executed is the one document that was sent, all of it and nothing after it', async () => {
  const create = '/containers/create?name=two';
  const image = '{"Image":"busybox","Cmd":["true"]}';
  const bodies = [
    `${image}{"Image":"busybox","HostConfig":{"Privileged":true}}`,
    `${image} null`,
    `${image}\u0000`,
    `[${image}]`,
    '"busybox"',
    image.slice(0, -1),
  ];
  for (const body of bodies) {
    const { status, text } = await post(create, body);
    assert.equal(status, 400, `${body}: ${text}`);
  }
  const padded = `${image.slice(0, -1)},"Labels":{"x":"${'y'.repeat(8 << 20)}"}}`;
  assert.equal((await post(create, padded)).status, 413);
  assert.deepEqual(await containers.list(), []);
  // Twice the same key: the last one counts, for the check as for the execution.
  const twice = '{"Image":"busybox","HostConfig":{"Privileged":true,"Privileged":false},"Cmd":["true"]}';
  assert.equal((await post(create, twice)).status, 201);
  const { HostConfig } = (await containers.inspect('two')) as unknown as {
    HostConfig: { Privileged: boolean };
  };
  assert.equal(HostConfig.Privileged, false);
  await containers.remove('two');
});

test('requests: names and ids are never paths', async () => {
  const wrong = ['../outside', '..', '.', '/abs', 'a/b', '../../etc', '%2e%2e', 'a\u0000b', ''];
  for (const name of wrong) {
    const volume = await daemon.ask('POST', '/volumes/create', { Name: name });
    if (name === '') {
      assert.equal(volume.status, 201);
      continue;
    }
    assert.equal(volume.status, 400, `volume ${JSON.stringify(name)}: ${volume.body.toString()}`);
    // A leading slash is allowed in the name of a container.
    if (name === '/abs') continue;
    const path = `/containers/create?name=${encodeURIComponent(name)}`;
    const container = await daemon.ask('POST', path, { Image: 'busybox', Cmd: ['true'] });
    assert.equal(container.status, 400, `container ${JSON.stringify(name)}: ${container.body.toString()}`);
  }
  for (const path of ['/containers/..%2f..%2fdata/json', '/volumes/..%2f..', '/exec/..%2f../json']) {
    const { status } = await daemon.ask('GET', path);
    assert.ok([400, 404].includes(status), `${path}: ${status}`);
  }
  for (const path of ['/volumes/..%2fcontainers', '/containers/..%2f..', '/images/..%2f..%2fetc']) {
    const { status } = await daemon.ask('DELETE', path);
    assert.ok([400, 404].includes(status), `${path}: ${status}`);
  }
  for (const folder of ['containers', 'volumes', 'content', 'snapshots']) {
    assert.ok(existsSync(join(daemon.dir, 'data', folder)), folder);
  }
});

test('requests: the socket of the API and the state of the daemon are not in a container', async () => {
  const { output } = await containers.runToEnd({
    cmd: 'cat /proc/net/unix; ls /run /var/run 2>/dev/null; cat /proc/mounts',
  });
  assert.doesNotMatch(output, /s\.sock|docker\.sock|state\.db/);
  const { output: network } = await containers.runToEnd({
    cmd: `echo | nc -w 5 $(ip route | grep default | cut -d " " -f 3) ${port} && echo open || echo refused`,
  });
  assert.match(network, /refused\n$/);
  const { output: own } = await containers.runToEnd({
    cmd: `echo | nc -w 5 127.0.0.1 ${port} && echo open || echo refused`,
    host: { NetworkMode: 'host' },
  });
  assert.match(own, /open\n$/);
});

test('requests: a quiet load answers when all is loaded, to clients that hang up at once, too', async () => {
  const { body: archive } = await daemon.ask('GET', '/images/get?names=busybox:latest');
  await daemon.ask('DELETE', '/images/busybox:latest?force=1');
  const headers = { 'Content-Type': 'application/x-tar' };
  await new Promise<void>((resolve, reject) => {
    const options = {
      socketPath: daemon.socket,
      method: 'POST',
      path: '/images/load?quiet=1',
      headers,
      agent: false,
    };
    const call = request(options, (response) => {
      response.destroy();
      resolve();
    });
    call.on('error', reject).end(archive);
  });
  assert.equal((await daemon.ask('GET', '/images/busybox:latest/json')).status, 200);
});
