import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { type Answer, TestDaemon } from '#tests/daemon.ts';
import { leakCheck } from '#tests/leak-check.ts';
import { Random } from '#tests/random.ts';
import { TestContainers } from '#tests/test-containers.ts';
import { until } from '#tests/until.ts';

let daemon: TestDaemon;
let containers: TestContainers;

before(async () => {
  daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  containers = new TestContainers(daemon);
  // Opens what a busy daemon keeps open.
  await Promise.all(Array.from({ length: 20 }, () => containers.runToEnd({ cmd: 'true' })));
});

after(() => daemon[Symbol.asyncDispose]());

const start = (id: string): Promise<Answer> => daemon.ask('POST', `/containers/${id}/start`);
const stop = (id: string): Promise<Answer> => daemon.ask('POST', `/containers/${id}/stop?t=5`);
const remove = (id: string, query: string = '?force=1&v=1'): Promise<Answer> =>
  daemon.ask('DELETE', `/containers/${id}${query}`);

/** The statuses of requests that are made at the same time. */
async function together(...requests: readonly Promise<Answer>[]): Promise<number[]> {
  return (await Promise.all(requests)).map(({ status }) => status);
}

const sorted = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b);

async function isGone(id: string): Promise<void> {
  await until(async () => (await containers.find(id)) === undefined, { what: `${id} is gone` });
}

test('races: of several starts one starts, the others find it running', async () => {
  await leakCheck(daemon, async () => {
    const id = await containers.create();
    assert.deepEqual(sorted(await together(start(id), start(id), start(id))), [204, 304, 304]);
    await containers.remove(id);
  });
});

test('races: start against remove: whichever comes first wins, and the other one is told', async () => {
  await leakCheck(daemon, async () => {
    for (let round = 0; round < 10; round += 1) {
      const id = await containers.create();
      const order = round % 2 === 0 ? [start(id), remove(id, '')] : [remove(id, ''), start(id)];
      const statuses = await together(...order);
      const [started, removed] = round % 2 === 0 ? statuses : statuses.toReversed();
      const outcome = `${started} ${removed}`;
      assert.ok(['204 409', '404 204', '409 204'].includes(outcome), outcome);
      if (removed !== 204) await containers.remove(id);
    }
  });
});

test('races: remove by force against start, stop and itself leaves nothing', async () => {
  await leakCheck(daemon, async () => {
    for (let round = 0; round < 5; round += 1) {
      const [starting, stopping, doomed] = [
        await containers.create(),
        await containers.run(),
        await containers.run(),
      ];
      const [started, removed] = await together(start(starting), remove(starting));
      assert.ok([204, 404, 409].includes(started ?? 0), String(started));
      assert.equal(removed, 204);
      const [stopped, removedToo] = await together(stop(stopping), remove(stopping));
      assert.ok([204, 304, 404].includes(stopped ?? 0), String(stopped));
      assert.equal(removedToo, 204);
      const both = await together(remove(doomed), remove(doomed), remove(doomed));
      assert.equal(both.filter((status) => status === 204).length, 1, both.join(' '));
      assert.ok(
        both.every((status) => [204, 404, 409].includes(status)),
        both.join(' '),
      );
      assert.deepEqual(await containers.list(), []);
    }
  });
});

test('races: fifty containers run and remove themselves at the same time', async () => {
  await leakCheck(daemon, async () => {
    const ids = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        containers.run({ name: `many-${index}`, cmd: 'exit 3', host: { AutoRemove: true } }),
      ),
    );
    assert.equal(new Set(ids).size, 50);
    for (const id of ids) await isGone(id);
  });
});

test('races: a name goes to one of those who want it, at create and at rename', async () => {
  await leakCheck(daemon, async () => {
    const wish = { name: 'wanted', config: { Volumes: { '/data': {} } } };
    const created = await together(...Array.from({ length: 10 }, () => containers.tryCreate(wish)));
    assert.deepEqual(sorted(created), [201, ...Array.from({ length: 9 }, () => 409)]);
    const others = await Promise.all(Array.from({ length: 5 }, () => containers.create()));
    const renamed = await together(
      ...others.map((id) => daemon.ask('POST', `/containers/${id}/rename?name=other`)),
    );
    assert.deepEqual(sorted(renamed), [204, 409, 409, 409, 409]);
    await containers.remove('wanted');
    for (const id of others) await containers.remove(id);
  });
});

test('races: a volume is not removed while a container is made that wants it', async () => {
  await leakCheck(daemon, async () => {
    for (let round = 0; round < 10; round += 1) {
      await daemon.ask('POST', '/volumes/create', { Name: 'shared' });
      const [created] = await Promise.all([
        containers.create({ host: { Binds: ['shared:/data'] } }),
        daemon.ask('DELETE', '/volumes/shared'),
      ]);
      assert.equal((await daemon.ask('GET', '/volumes/shared')).status, 200);
      await containers.post(`${created}/start`, 204);
      await containers.remove(created);
      assert.equal((await daemon.ask('DELETE', '/volumes/shared')).status, 204);
    }
  });
});

test('races: any mixture of requests about one container is answered, and the container obeys afterwards', async (t) => {
  const seed = Date.now() % 1_000_000;
  t.diagnostic(`seed ${seed}`);
  const random = new Random(seed);
  const actions = [
    'start',
    'stop?t=1',
    'restart?t=1',
    'kill',
    'pause',
    'unpause',
    'json',
    'exec',
    'top',
    'wait',
  ];
  await leakCheck(daemon, async () => {
    const id = await containers.create({ name: 'busy' });
    const client = async (): Promise<void> => {
      for (let count = 0; count < 25; count += 1) {
        const action = random.pick(actions);
        const { status, body } = await ask(id, action);
        // Docker answers 500 when it is to unpause what is not paused.
        const known = [200, 201, 204, 304, 409].includes(status) || /is not paused/.test(body.toString());
        assert.ok(known, `${action}: ${status} ${body.toString()}`);
      }
    };
    await Promise.all(Array.from({ length: 6 }, client));
    await containers.post(`${id}/restart?t=0`, 204);
    assert.equal((await containers.exec(id, 'echo fine')).output, 'fine\n');
    await containers.remove(id);
  });
});

function ask(id: string, action: string): Promise<Answer> {
  switch (action) {
    case 'json':
    case 'top':
      return daemon.ask('GET', `/containers/${id}/${action}`);
    case 'exec':
      return daemon.ask('POST', `/containers/${id}/exec`, { Cmd: ['true'] });
    case 'wait':
      // Of those who wait for the next exit nobody would answer the last one.
      return daemon.ask('POST', `/containers/${id}/start`);
    default:
      return daemon.ask('POST', `/containers/${id}/${action}`);
  }
}

test('races: execs in a container that ends do not hang', async () => {
  await leakCheck(daemon, async () => {
    const id = await containers.run();
    const { Id } = (await containers.post(`${id}/exec`, 201, {
      Cmd: ['sleep', '1000'],
      AttachStdout: true,
    })) as {
      Id: string;
    };
    const attached = daemon.ask('POST', `/exec/${Id}/start`, {});
    const more = Array.from({ length: 5 }, () => containers.post(`${id}/exec`, 201, { Cmd: ['true'] }));
    const ids = (await Promise.all(more)).map((made) => (made as { Id: string }).Id);
    const statuses = together(
      ...ids.map((exec) => daemon.ask('POST', `/exec/${exec}/start`, { Detach: true })),
    );
    await containers.remove(id);
    for (const status of await statuses)
      assert.ok([200, 400, 404, 409, 500].includes(status), String(status));
    await attached;
  });
});

test('races: a client that hangs up does not stop what it asked for half-way', async () => {
  await leakCheck(daemon, async () => {
    const id = await containers.create();
    const call = request({
      socketPath: daemon.socket,
      method: 'POST',
      path: `/containers/${id}/start`,
      agent: false,
    });
    call.on('error', () => {});
    call.end();
    await once(call, 'socket');
    await until(() => daemon.log !== '' && call.writableFinished, { what: 'the request is sent' });
    call.destroy();
    // Started or not, but nothing in between.
    const { Status } = (await containers.inspect(id)).State;
    assert.ok(['created', 'running'].includes(Status), Status);
    assert.ok([204, 304].includes((await start(id)).status));
    await containers.remove(id);
  });
});
