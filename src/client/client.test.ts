import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, beforeEach, test } from 'node:test';
import { Client } from './client.ts';
import { listContainers, renameContainer } from './containers.ts';
import { parseEndpoint } from './endpoint.ts';
import { ApiError, ConnectionError, isNotFound } from './errors.ts';
import { loadImages, tagImage } from './images.ts';

const folder = mkdtempSync(join(tmpdir(), 'skiff-client-'));
const path = join(folder, 's');
let server: Server;
let daemonVersion = '1.51';
let seen: string[] = [];
let handle: (request: IncomingMessage, response: ServerResponse) => void;

before(async () => {
  server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.setHeader('Api-Version', daemonVersion);
    const version = /^\/v(1\.\d+)\//.exec(request.url ?? '')?.[1];
    if (version !== undefined && Number(version.slice(2)) > Number(daemonVersion.slice(2))) {
      request.resume();
      response.statusCode = 400;
      response.end(JSON.stringify({ message: `client version ${version} is too new` }));
    } else handle(request, response);
  });
  server.on('upgrade', (request, socket) => {
    seen.push(`${request.method} ${request.url} ${String(request.headers.upgrade)}`);
    socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly');
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
});
after(() => {
  server.close();
  server.closeAllConnections();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  daemonVersion = '1.51';
  seen = [];
  handle = (_request, response) => response.end('[]');
});

const connect = (apiVersion?: string): Client => new Client({ endpoint: { kind: 'unix', path }, apiVersion });

test('Client: speaks the newest version without asking first', async () => {
  using client = connect();
  assert.deepEqual(await listContainers(client, { all: true, filters: { name: ['x'] } }), []);
  assert.deepEqual(seen, [
    'GET /v1.51/containers/json?all=1&filters=%7B%22name%22%3A%7B%22x%22%3Atrue%7D%7D',
  ]);
});

test('Client: falls back to the version of an older daemon and keeps to it', async () => {
  daemonVersion = '1.44';
  using client = connect();
  await listContainers(client);
  await listContainers(client);
  assert.deepEqual(seen, [
    'GET /v1.51/containers/json',
    'GET /v1.44/containers/json',
    'GET /v1.44/containers/json',
  ]);
  assert.equal(await client.apiVersion(), '1.44');
});

test('Client: asks first before it sends a stream', async () => {
  daemonVersion = '1.44';
  let body = '';
  handle = (request, response) => {
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => response.end('{}'));
  };
  using client = connect();
  const response = await loadImages(client, Readable.from([Buffer.from('a'), Buffer.from('b')]));
  response.resume();
  assert.deepEqual(seen, ['HEAD /_ping', 'POST /v1.44/images/load?quiet=0']);
  assert.equal(body, 'ab');
});

test('Client: a given version is used as it is', async () => {
  using client = connect('1.40');
  await listContainers(client);
  assert.deepEqual(seen, ['GET /v1.40/containers/json']);
});

test('Client: errors keep the message of the daemon', async () => {
  handle = (_request, response) => {
    response.statusCode = 404;
    response.end(JSON.stringify({ message: 'No such container: x' }));
  };
  using client = connect();
  const error = await renameContainer(client, 'a/b', 'c').catch((reason: unknown) => reason);
  assert.ok(error instanceof ApiError && isNotFound(error));
  assert.equal(error.message, 'Error response from daemon: No such container: x');
  assert.deepEqual(seen, ['POST /v1.51/containers/a%2Fb/rename?name=c']);
});

test('Client: errors that are not JSON are shown as they are', async () => {
  handle = (_request, response) => {
    response.statusCode = 502;
    response.end('<html>bad gateway</html>\n');
  };
  using client = connect();
  await assert.rejects(listContainers(client), {
    message: 'Error response from daemon: <html>bad gateway</html>',
    status: 502,
  });
});

test('Client: image names keep their slashes', async () => {
  handle = (_request, response) => response.writeHead(201).end();
  using client = connect();
  await tagImage(client, 'host:5000/a/b', { repo: 'c', tag: 'd' });
  assert.deepEqual(seen, ['POST /v1.51/images/host%3A5000/a/b/tag?repo=c&tag=d']);
});

test('Client.hijack: gives the raw connection and what came early', async () => {
  using client = connect();
  const { socket, early } = await client.hijack('/exec/x/start', { json: {} });
  socket.write(' late');
  let text = early.toString();
  for await (const chunk of socket) {
    text += (chunk as Buffer).toString();
    if (text.length >= 10) break;
  }
  assert.ok(text.startsWith('early'));
  assert.deepEqual(seen, ['POST /v1.51/exec/x/start tcp']);
});

test('Client: a daemon that is not there', async () => {
  using client = new Client({ endpoint: { kind: 'unix', path: join(folder, 'nope') } });
  const error = await listContainers(client).catch((reason: unknown) => reason);
  assert.ok(error instanceof ConnectionError);
  assert.match(
    error.message,
    /^Cannot connect to the Skiff daemon at unix:\/\/.*nope\. Is the skiff daemon running\?$/,
  );
});

test('parseEndpoint: unix sockets and TCP addresses', () => {
  assert.deepEqual(parseEndpoint(''), { kind: 'unix', path: '/run/skiff/skiff.sock' });
  assert.deepEqual(parseEndpoint('unix:///x'), { kind: 'unix', path: '/x' });
  assert.deepEqual(parseEndpoint('tcp://h:1'), { kind: 'tcp', host: 'h', port: 1 });
  assert.deepEqual(parseEndpoint('h'), { kind: 'tcp', host: 'h', port: 2375 });
  assert.deepEqual(parseEndpoint('tcp://[::1]:5'), { kind: 'tcp', host: '::1', port: 5 });
  assert.deepEqual(parseEndpoint('tcp://h', { verify: true }), {
    kind: 'tcp',
    host: 'h',
    port: 2376,
    tls: { verify: true },
  });
  for (const text of ['bad://x', 'tcp://h:99999', 'tcp://h:x', 'ssh://h']) {
    assert.throws(() => parseEndpoint(text), { message: `invalid bind address format: ${text}` });
  }
});
