import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import { TestContainers } from '#tests/test-containers.ts';

let daemon: TestDaemon;
let containers: TestContainers;

before(async () => {
  daemon = await TestDaemon.start();
  containers = new TestContainers(daemon);
  await daemon.loadBusybox();
});

after(() => daemon[Symbol.asyncDispose]());

type Case = readonly [
  method: string,
  path: string,
  status: number,
  message?: string | RegExp,
  body?: unknown,
];

async function answers(cases: readonly Case[]): Promise<void> {
  for (const [method, path, status, message, body] of cases) {
    const answer = await daemon.ask(method, path, body);
    const text = answer.body.toString();
    assert.equal(answer.status, status, `${method} ${path}: ${text}`);
    if (message === undefined) continue;
    assert.equal(answer.headers['content-type'], 'application/json');
    const { message: said } = JSON.parse(text) as { message: string };
    if (typeof message === 'string') assert.equal(said, message, `${method} ${path}`);
    else assert.match(said, message, `${method} ${path}`);
  }
}

test('a container that does not exist', () => {
  const missing = 'No such container: nope';
  return answers([
    ['GET', '/containers/nope/json', 404, missing],
    ['POST', '/containers/nope/start', 404, missing],
    ['POST', '/containers/nope/stop', 404, missing],
    ['POST', '/containers/nope/restart', 404, missing],
    ['POST', '/containers/nope/kill', 404, `cannot kill container: nope: ${missing}`],
    ['POST', '/containers/nope/pause', 404, missing],
    ['POST', '/containers/nope/unpause', 404, missing],
    ['POST', '/containers/nope/wait', 404, missing],
    ['POST', '/containers/nope/rename?name=x1', 404, missing],
    ['POST', '/containers/nope/update', 404, missing, {}],
    ['POST', '/containers/nope/resize?h=1&w=1', 404, missing],
    ['POST', '/containers/nope/attach', 404, missing],
    ['POST', '/containers/nope/exec', 404, missing, { Cmd: ['a'] }],
    ['GET', '/containers/nope/logs?stdout=1', 404, missing],
    ['GET', '/containers/nope/top', 404, missing],
    ['GET', '/containers/nope/stats', 404, missing],
    ['GET', '/containers/nope/stats?stream=0', 404, missing],
    ['GET', '/containers/nope/changes', 404, missing],
    ['DELETE', '/containers/nope', 404, missing],
    ['DELETE', '/containers/nope?force=1', 404, missing],
    ['POST', '/exec/nope/start', 404, 'No such exec instance: nope', {}],
    ['POST', '/exec/nope/resize?h=1&w=1', 404, 'No such exec instance: nope'],
    ['GET', '/exec/nope/json', 404, 'No such exec instance: nope'],
  ]);
});

test('a container that does not run', async () => {
  const id = await containers.create({ name: 'idle' });
  const idle = `container ${id} is not running`;
  await answers([
    ['POST', '/containers/idle/stop', 304],
    ['POST', '/containers/idle/kill', 409, `cannot kill container: idle: ${idle}`],
    ['POST', '/containers/idle/pause', 409, idle],
    ['POST', '/containers/idle/unpause', 500, `Container ${id} is not paused`],
    ['GET', '/containers/idle/top', 409, idle],
    ['POST', '/containers/idle/resize?h=10&w=10', 409, idle],
    ['POST', '/containers/idle/exec', 409, idle, { Cmd: ['true'] }],
    ['GET', '/containers/idle/logs', 400, 'Bad parameters: you must choose at least one stream'],
    ['GET', '/containers/idle/logs?stdout=1', 200],
    ['GET', '/containers/idle/stats?stream=0', 200],
    ['POST', '/containers/idle/wait', 200],
    ['POST', '/containers/idle/wait?condition=foo', 400, 'invalid condition: "foo"'],
    ['POST', '/containers/idle/rename?name=', 400, 'Neither old nor new names may be empty'],
    [
      'POST',
      '/containers/idle/rename?name=a%20b',
      400,
      /^Error when allocating new name: Invalid container name/,
    ],
    [
      'POST',
      '/containers/idle/rename?name=idle',
      400,
      'Renaming a container with the same name as its current name',
    ],
    [
      'POST',
      '/containers/create?name=idle',
      409,
      new RegExp(`^Conflict\\. The container name "/idle" is already in use by container "${id}"\\.`),
      { Image: 'busybox' },
    ],
    [
      'POST',
      '/containers/idle/start',
      400,
      'starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24',
      { a: 'bcdefgh' },
    ],
    [
      'POST',
      '/containers/idle/start?checkpoint=foo',
      400,
      'checkpoint is only supported in experimental mode',
    ],
    ['DELETE', '/containers/idle', 204],
  ]);
});

test('a container that runs or is paused', async () => {
  const id = await containers.run({ name: 'busy' });
  await answers([
    ['POST', '/containers/busy/start', 304],
    [
      'DELETE',
      '/containers/busy',
      409,
      'cannot remove container "busy": container is running: stop the container before removing or force remove',
    ],
    ['POST', '/containers/busy/unpause', 500, `Container ${id} is not paused`],
    ['POST', '/containers/busy/kill?signal=FOO', 400, 'cannot kill container: busy: invalid signal: FOO'],
    ['POST', '/containers/busy/kill?signal=0', 400, 'cannot kill container: busy: invalid signal: 0'],
    ['POST', '/containers/busy/stop?signal=FOO', 500, 'cannot stop container: busy: invalid signal: FOO'],
    ['POST', '/containers/busy/stop?t=a', 400],
    ['POST', '/containers/busy/resize?h=a&w=10', 400],
    ['GET', '/containers/busy/top?ps_args=-o%20comm', 500, "Couldn't find PID field in ps output"],
    ['GET', '/containers/busy/top?ps_args=bogus', 500, /ps/],
    ['POST', '/containers/busy/exec', 400, 'No exec command specified', {}],
    ['POST', '/containers/busy/exec', 400, /cannot unmarshal string/, { Cmd: 'true' }],
    [
      'POST',
      '/containers/busy/update',
      400,
      'Minimum memory limit allowed is 6MB',
      { Memory: 1000, MemorySwap: 1000 },
    ],
    ['POST', '/containers/busy/update', 400, /unknown policy 'foo'/, { RestartPolicy: { Name: 'foo' } }],
    ['POST', '/containers/busy/pause', 204],
    ['POST', '/containers/busy/pause', 409, `Container ${id} is already paused`],
    ['POST', '/containers/busy/start', 409, 'cannot start a paused container, try unpause instead'],
    [
      'POST',
      '/containers/busy/exec',
      409,
      'Container busy is paused, unpause the container before exec',
      { Cmd: ['true'] },
    ],
    [
      'DELETE',
      '/containers/busy',
      409,
      'cannot remove container "busy": container is paused and must be unpaused first',
    ],
    ['POST', '/containers/busy/unpause', 204],
    ['DELETE', '/containers/busy?force=1', 204],
  ]);
});

test('filters that do not exist or have wrong values', () => {
  const filter = (path: string, filters: string): string => `${path}?filters=${encodeURIComponent(filters)}`;
  const list = (filters: string): string => filter('/containers/json', filters);
  return answers([
    ['GET', '/containers/json?limit=a', 400],
    ['GET', list('x'), 400],
    ['GET', list('[]'), 400],
    ['GET', list('{"status":"x"}'), 400],
    ['GET', list('{"status":{"running":true}}'), 200],
    ['GET', list('{"status":["foo"]}'), 400, /^invalid filter 'status=foo'/],
    ['GET', list('{"foo":["bar"]}'), 400, "invalid filter 'foo'"],
    ['GET', list('{"exited":["a"]}'), 400],
    ['GET', list('{"health":["a"]}'), 400],
    ['GET', list('{"before":["nope"]}'), 404, 'No such container: nope'],
    ['GET', list('{"since":["nope"]}'), 404, 'No such container: nope'],
    ['GET', list('{"ancestor":["nope"]}'), 200],
    [
      'GET',
      list('{"publish":["abc"]}'),
      500,
      'error while looking up for publish abc: strconv.ParseUint: parsing "abc": invalid syntax',
    ],
    ['POST', filter('/containers/prune', '{"foo":["bar"]}'), 400, "invalid filter 'foo'"],
    ['POST', filter('/images/prune', '{"foo":["bar"]}'), 400, "invalid filter 'foo'"],
    ['POST', filter('/images/prune', '{"dangling":["bar"]}'), 400],
    ['POST', filter('/volumes/prune', '{"foo":["bar"]}'), 400, "invalid filter 'foo'"],
    ['POST', filter('/networks/prune', '{"foo":["bar"]}'), 400, "invalid filter 'foo'"],
    ['GET', filter('/volumes', '{"foo":["bar"]}'), 400, "invalid filter 'foo'"],
    ['GET', filter('/networks', '{"foo":["bar"]}'), 400, "invalid filter 'foo'"],
    ['GET', filter('/images/json', '{"foo":["bar"]}'), 400, "invalid filter 'foo'"],
    ['GET', filter('/images/json', '{"dangling":["bar"]}'), 400],
    ['GET', filter('/images/json', '{"before":["nope"]}'), 404],
    ['GET', '/events?since=5&until=1', 400],
    ['GET', '/events?since=abc&until=1', 400],
    ['GET', '/system/df?type=foo', 400],
  ]);
});

test('images and volumes that do not exist or cannot be', () =>
  answers([
    ['GET', '/images/nope/json', 404, 'No such image: nope:latest'],
    ['GET', '/images/UPPER/json', 400, /invalid reference format/],
    ['GET', '/images/nope/history', 404, 'No such image: nope:latest'],
    ['DELETE', '/images/nope', 404, 'No such image: nope:latest'],
    ['POST', '/images/nope/tag?repo=x&tag=y', 404, 'No such image: nope:latest'],
    ['POST', '/images/busybox/tag?repo=UPPER&tag=y', 400, /invalid reference format/],
    ['POST', '/images/busybox/tag?repo=x&tag=y/z', 400, /invalid reference format|invalid tag format/],
    ['GET', '/images/nope/get', 404, 'No such image: nope'],
    ['GET', '/images/get?names=nope', 404, 'No such image: nope'],
    ['POST', '/images/create?fromSrc=-&repo=UPPER', 400, /invalid reference format/, Buffer.alloc(1024)],
    ['POST', '/images/create?fromSrc=-&changes=FOO', 400, /FOO/, Buffer.alloc(1024)],
    ['POST', '/images/create?fromSrc=-', 400, /archive/, Buffer.from('garbage')],
    ['GET', '/volumes/nope', 404, 'get nope: no such volume'],
    ['DELETE', '/volumes/nope', 404, 'get nope: no such volume'],
    ['DELETE', '/volumes/nope?force=1', 204],
    [
      'POST',
      '/volumes/create',
      400,
      'create a: volume name is too short, names should be at least two alphanumeric characters',
      { Name: 'a' },
    ],
    ['POST', '/volumes/create', 404, /plugin "foo" not found/, { Name: 'vol', Driver: 'foo' }],
    [
      'POST',
      '/volumes/create',
      400,
      'create vol: invalid option: "foo"',
      { Name: 'vol', DriverOpts: { foo: 'bar' } },
    ],
  ]));
