import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notFound } from '#/base/errors.ts';
import type { ExecView } from '#/engine/containers/execs.ts';
import type { ContainerRecord } from '#/engine/containers/model.ts';
import { serve, type TestServer } from '#tests/api-client.ts';
import { fakeBackend } from '#tests/fake-backend.ts';
import type { ContainersBackend } from '../backend.ts';
import { apiRoutes } from './all.ts';

type Noted = [method: string, ...args: unknown[]];

/** A server whose engine notes the calls of `methods` and answers with what they say. */
async function noting(
  methods: Partial<Record<keyof ContainersBackend, unknown>>,
): Promise<{ server: TestServer; calls: Noted[] }> {
  const calls: Noted[] = [];
  const containers = Object.fromEntries(
    Object.entries(methods).map(([name, result]) => [
      name,
      (...args: unknown[]) => {
        calls.push([name, ...args]);
        return Promise.resolve(result);
      },
    ]),
  );
  return { server: await serve(apiRoutes, fakeBackend({ containers })), calls };
}

test('containers: each request becomes one call of the engine', async () => {
  const { server, calls } = await noting({
    start: undefined,
    stop: undefined,
    restart: undefined,
    kill: undefined,
    pause: undefined,
    unpause: undefined,
    rename: undefined,
    remove: undefined,
    resize: undefined,
  });
  await using _server = server;
  const post = async (path: string, status: number): Promise<Noted | undefined> => {
    assert.equal((await server.ask('POST', `/v1.51/containers/c/${path}`)).status, status, path);
    return calls.pop();
  };
  assert.deepEqual(await post('start', 204), ['start', 'c']);
  assert.deepEqual(await post('stop', 204), ['stop', 'c', { signal: undefined, timeout: undefined }]);
  assert.deepEqual(await post('stop?t=-1&signal=INT', 204), ['stop', 'c', { signal: 'INT', timeout: -1 }]);
  assert.deepEqual(await post('restart?t=3', 204), ['restart', 'c', { signal: undefined, timeout: 3 }]);
  assert.deepEqual(await post('kill', 204), ['kill', 'c', 'KILL']);
  assert.deepEqual(await post('kill?signal=9', 204), ['kill', 'c', '9']);
  assert.deepEqual(await post('pause', 204), ['pause', 'c']);
  assert.deepEqual(await post('unpause', 204), ['unpause', 'c']);
  assert.deepEqual(await post('rename?name=x', 204), ['rename', 'c', 'x']);
  assert.deepEqual(await post('resize?h=24&w=80', 200), ['resize', 'c', { height: 24, width: 80 }]);
  assert.equal((await server.ask('DELETE', '/containers/c?v=1&force=true')).status, 204);
  assert.deepEqual(calls.pop(), ['remove', 'c', { force: true, volumes: true }]);
  assert.equal((await server.ask('POST', '/v1.41/containers/c/stop?signal=INT')).status, 204);
  assert.deepEqual(calls.pop(), ['stop', 'c', { signal: undefined, timeout: undefined }]);
});

test('containers: parameters that Docker refuses never reach the engine', async () => {
  const { server, calls } = await noting({});
  await using _server = server;
  const cases: [string, string, string][] = [
    ['POST', '/containers/c/resize?h=a&w=1', 'invalid resize height "a": invalid syntax'],
    ['POST', '/containers/c/resize?h=1', 'invalid resize width "": invalid syntax'],
    ['POST', '/containers/c/resize?h=1&w=70000', 'invalid resize width "70000": value out of range'],
    ['POST', '/containers/c/stop?t=x', 'strconv.Atoi: parsing "x": invalid syntax'],
    ['POST', '/containers/c/wait?condition=foo', 'invalid condition: "foo"'],
    ['GET', '/containers/c/logs', 'Bad parameters: you must choose at least one stream'],
    ['GET', '/containers/c/stats?stream=1&one-shot=1', 'cannot have stream=true and one-shot=true'],
    ['GET', '/containers/json?limit=x', 'strconv.Atoi: parsing "x": invalid syntax'],
    ['GET', '/containers/json?filters=x', 'invalid filter'],
    ['POST', '/containers/prune?filters=[]', 'invalid filter'],
    ['GET', '/events?since=5&until=3', "until time (3) can't be before since time (5)"],
    ['GET', '/system/df?type=foo', 'unknown object type: foo'],
    ['POST', '/containers/c/exec', 'No exec command specified'],
  ];
  for (const [method, path, message] of cases) {
    const { status, body } = await server.ask(method, path);
    assert.deepEqual([status, JSON.parse(body)], [400, { message }], path);
  }
  assert.deepEqual(calls, []);
});

test('containers: null and empty lists as in Docker', async () => {
  const { server } = await noting({
    create: { id: 'abc', warnings: [] },
    prune: { deleted: [], reclaimed: 0 },
    update: [],
    changes: [],
    list: [],
  });
  await using _server = server;
  const answer = async (method: string, path: string, body?: unknown): Promise<[number, string]> => {
    const got = await server.ask(method, path, { body });
    return [got.status, got.body];
  };
  assert.deepEqual(await answer('POST', '/containers/create?name=x', { Image: 'i' }), [
    201,
    '{"Id":"abc","Warnings":[]}\n',
  ]);
  assert.deepEqual(await answer('POST', '/containers/prune'), [
    200,
    '{"ContainersDeleted":null,"SpaceReclaimed":0}\n',
  ]);
  assert.deepEqual(await answer('POST', '/containers/c/update', {}), [200, '{"Warnings":null}\n']);
  assert.deepEqual(await answer('GET', '/containers/c/changes'), [200, 'null\n']);
  assert.deepEqual(await answer('GET', '/containers/json'), [200, '[]\n']);
});

test('wait: the headers come as soon as the wait has begun, the code when it ends', async () => {
  const exit = Promise.withResolvers<{ exitCode: number }>();
  const get = (id: string): ContainerRecord => {
    if (id !== 'c') throw notFound(`No such container: ${id}`);
    return { id: 'c' } as ContainerRecord;
  };
  const engine = fakeBackend({ containers: { get, wait: () => exit.promise } });
  await using server = await serve(apiRoutes, engine);
  assert.equal((await server.ask('POST', '/containers/other/wait')).status, 404);
  const answer = server.ask('POST', '/containers/c/wait?condition=next-exit', {
    onHeaders: () => exit.resolve({ exitCode: 7 }),
  });
  assert.deepEqual([(await answer).status, (await answer).body], [200, '{"StatusCode":7}\n']);
});

test('wait: what goes wrong after the headers is in the answer', async () => {
  const engine = fakeBackend({
    containers: {
      get: () => ({ id: 'c' }) as ContainerRecord,
      wait: () => Promise.resolve({ exitCode: 0, error: 'device busy' }),
    },
  });
  await using server = await serve(apiRoutes, engine);
  const { body } = await server.ask('POST', '/containers/c/wait?condition=removed');
  assert.equal(body, '{"StatusCode":0,"Error":{"Message":"device busy"}}\n');
});

test('exec: inspect as in Docker, and a failed start in the stream', async () => {
  const exec: ExecView = {
    id: 'e',
    containerId: 'c',
    request: {
      command: ['nosuch', '-x'],
      env: [],
      user: '',
      workingDir: '',
      privileged: false,
      tty: false,
      stdin: false,
      stdout: true,
      stderr: false,
      detachKeys: undefined,
      consoleSize: undefined,
    },
    running: false,
    exitCode: undefined,
    pid: 0,
  };
  const engine = fakeBackend({
    execs: { inspect: () => exec, startAttached: () => Promise.reject(new Error('not found in $PATH')) },
  });
  await using server = await serve(apiRoutes, engine);
  const { body } = await server.ask('GET', '/exec/e/json');
  assert.equal(
    body,
    '{"ID":"e","Running":false,"ExitCode":null,"ProcessConfig":{"tty":false,"entrypoint":"nosuch","arguments":["-x"],"privileged":false},"OpenStdin":false,"OpenStderr":false,"OpenStdout":true,"CanRemove":false,"ContainerID":"c","DetachKeys":"","Pid":0}\n',
  );
  const started = await server.ask('POST', '/exec/e/start', { body: {} });
  assert.equal(started.status, 200);
  assert.equal(started.body, '\x01\0\0\0\0\0\0\x14not found in $PATH\r\n');
});

test('exec: one that has run cannot be started again', async () => {
  const exec = { id: 'e', running: false, exitCode: 0 } as ExecView;
  await using server = await serve(apiRoutes, fakeBackend({ execs: { inspect: () => exec } }));
  const { status, body } = await server.ask('POST', '/exec/e/start', { body: {} });
  assert.deepEqual([status, body], [409, '{"message":"exec command e has already run"}\n']);
});
