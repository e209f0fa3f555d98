import assert from 'node:assert/strict';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';

let daemon: TestDaemon;

before(async () => {
  daemon = await TestDaemon.start();
  await daemon.loadBusybox();
});

after(() => daemon[Symbol.asyncDispose]());

/** Sends a body as it is. */
function send(
  path: string,
  body: string,
  type = 'application/json',
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = request(
      { socketPath: daemon.socket, method: 'POST', path, agent: false, headers: { 'Content-Type': type } },
      (response) => {
        text(response).then((said) => resolve({ status: response.statusCode ?? 0, body: said }), reject);
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}

async function refused(path: string, body: string, message: RegExp): Promise<void> {
  const answer = await send(path, body);
  assert.equal(answer.status, 400, `${path} ${body.slice(0, 80)}: ${answer.body}`);
  assert.match((JSON.parse(answer.body) as { message: string }).message, message);
}

const bodyPaths = ['/containers/create', '/volumes/create', '/networks/create'];

test('POST: a body that is no JSON, has something behind it or is of another type', async () => {
  for (const path of bodyPaths) {
    await refused(path, '{', /^invalid JSON/);
    await refused(path, '{"Image":"busybox"}x', /^(unexpected content after JSON|invalid JSON)/);
    await refused(path, '{"Image":"busybox"}{}', /^(unexpected content after JSON|invalid JSON)/);
    await refused(path, '[]', /^invalid JSON: json: cannot unmarshal array/);
    await refused(path, '"x"', /^invalid JSON: json: cannot unmarshal string/);
    const answer = await send(path, '{"Image":"busybox"}', 'text/plain');
    assert.deepEqual(
      [answer.status, JSON.parse(answer.body)],
      [400, { message: "unsupported Content-Type header (text/plain): must be 'application/json'" }],
    );
  }
});

test('POST /containers/create: fields of a wrong type', async () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['{"Image":5}', /cannot unmarshal number into Go struct field \.Image of type string/],
    ['{"Image":"busybox","Tty":"yes"}', /cannot unmarshal string into Go struct field \.Tty of type bool/],
    ['{"Image":"busybox","Env":{}}', /cannot unmarshal object into Go struct field \.Env of type \[\]string/],
    ['{"Image":"busybox","Env":["a",1]}', /cannot unmarshal number/],
    ['{"Image":"busybox","Labels":["a"]}', /cannot unmarshal array/],
    ['{"Image":"busybox","HostConfig":[]}', /cannot unmarshal array/],
    [
      '{"Image":"busybox","HostConfig":{"Memory":"1g"}}',
      /cannot unmarshal string into Go struct field \.HostConfig\.Memory of type int64/,
    ],
    ['{"Image":"busybox","HostConfig":{"Memory":1.5}}', /cannot unmarshal number 1\.5/],
    ['{"Image":"busybox","HostConfig":{"Memory":99999999999999999999999}}', /cannot unmarshal number/],
    ['{"Image":"busybox","HostConfig":{"BlkioWeight":70000}}', /cannot unmarshal number 70000/],
    ['{"Image":"busybox","HostConfig":{"PortBindings":{"80/tcp":"x"}}}', /cannot unmarshal string/],
    ['{}', /^config cannot be empty in order to create a container$/],
    ['null', /^config cannot be empty in order to create a container$/],
  ];
  for (const [body, message] of cases) await refused('/containers/create', body, message);
});

test('POST: a body over the limit', async () => {
  const answer = await send(
    '/containers/create',
    JSON.stringify({ Image: 'busybox', Env: ['x'.repeat(20_000_000)] }),
  );
  assert.equal(answer.status, 413, answer.body);
  assert.equal((await daemon.ask('GET', '/_ping')).status, 200);
});

test('POST: JSON that is nested without end', async () => {
  const depth = 200_000;
  const answer = await send(
    '/containers/create',
    `{"Image":"busybox","Labels":${'['.repeat(depth)}${']'.repeat(depth)}}`,
  );
  assert.equal(answer.status, 400, answer.body.slice(0, 200));
  assert.equal((await daemon.ask('GET', '/_ping')).status, 200);
});

test('routes: what is not there, and versions', async () => {
  const cases: readonly (readonly [string, string, number, string])[] = [
    ['GET', '/nonsense', 404, 'page not found'],
    ['GET', '/v1.51/nonsense', 404, 'page not found'],
    ['PUT', '/containers/x/json', 404, 'page not found'],
    [
      'GET',
      '/v1.52/containers/json',
      400,
      'client version 1.52 is too new. Maximum supported API version is 1.51',
    ],
  ];
  for (const [method, path, status, message] of cases) {
    assert.deepEqual(await daemon.json(method, path), { status, value: { message } }, path);
  }
  const old = await daemon.ask('GET', '/v1.23/containers/json');
  assert.equal(old.status, 400);
  assert.match(
    old.body.toString(),
    /client version 1\.23 is too old\. Minimum supported API version is 1\.24/,
  );
  for (const version of ['1.24', '1.30', '1.41', '1.51']) {
    assert.equal((await daemon.ask('GET', `/v${version}/containers/json`)).status, 200);
  }
});

test('HEAD, GET /_ping: headers', async () => {
  for (const method of ['HEAD', 'GET']) {
    const { status, headers, body } = await daemon.ask(method, '/_ping');
    assert.equal(status, 200);
    assert.equal(body.toString(), method === 'GET' ? 'OK' : '');
    assert.equal(headers['api-version'], '1.51');
    assert.equal(headers['docker-experimental'], 'false');
    assert.equal(headers['ostype'], 'linux');
    assert.match(String(headers['server']), /^Skiff\/[\d.]+ \(linux\)$/);
    assert.equal(headers['content-type'], 'text/plain; charset=utf-8');
    assert.match(String(headers['cache-control']), /no-cache/);
  }
});

test('what is deliberately not implemented says 501', async () => {
  const { value } = await daemon.json('POST', '/containers/create', { Image: 'busybox' });
  const { Id } = value as { Id: string };
  const cases: readonly (readonly [string, string])[] = [
    ['POST', `/commit?container=${Id}`],
    ['GET', `/containers/${Id}/export`],
    ['GET', `/containers/${Id}/archive?path=/`],
    ['HEAD', `/containers/${Id}/archive?path=/`],
    ['PUT', `/containers/${Id}/archive?path=/`],
    ['POST', '/swarm/init'],
    ['POST', '/plugins/pull'],
  ];
  for (const [method, path] of cases) {
    const answer = await daemon.ask(method, path, method === 'GET' || method === 'HEAD' ? undefined : {});
    assert.equal(answer.status, 501, `${method} ${path}: ${answer.body.toString()}`);
    if (method !== 'HEAD') assert.match(answer.body.toString(), /^\{"message":".*not implemented/);
  }
  await daemon.ask('DELETE', `/containers/${Id}`);
});
