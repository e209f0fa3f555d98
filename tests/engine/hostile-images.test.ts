import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import { leakCheck } from '#tests/leak-check.ts';
import { type ContainerWish, TestContainers } from '#tests/test-containers.ts';
import { importRoot } from '#tests/test-images.ts';

let daemon: TestDaemon;
let containers: TestContainers;
/** A folder of the host that no container may reach. */
let outside: string;

before(async () => {
  daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  containers = new TestContainers(daemon);
  outside = join(daemon.dir, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret'), 'secret');
  await containers.runToEnd({ cmd: 'true' });
});

after(() => daemon[Symbol.asyncDispose]());

/** Out of any root, if links and dots were followed. */
function wayOut(): string {
  return `../../../../../../../../../../..${outside}`;
}

/** Why a container cannot be made or started, with the status; it leaves nothing. */
async function refusal(wish: ContainerWish): Promise<{ status: number; message: string }> {
  const created = await containers.tryCreate(wish);
  const { Id, message } = JSON.parse(created.body.toString()) as { Id?: string; message?: string };
  if (Id === undefined) return { status: created.status, message: message ?? '' };
  const started = await daemon.ask('POST', `/containers/${Id}/start`);
  await containers.remove(Id);
  if (started.status === 204) return { status: 204, message: '' };
  const answer = JSON.parse(started.body.toString()) as { message: string };
  return { status: started.status, message: answer.message };
}

test('hostile image: a link in the place of /dev, /proc or /sys is refused', async () => {
  for (const name of ['dev', 'proc', 'sys']) {
    for (const linkTo of ['/tmp', wayOut()]) {
      await importRoot(daemon, 'links', { entries: { [name]: { linkTo } } });
      await leakCheck(daemon, async () => {
        const { status, message } = await refusal({ image: 'links' });
        assert.equal(status, 400, `${name} -> ${linkTo}: ${message}`);
        assert.match(message, new RegExp(`/${name}`));
      });
    }
  }
  assert.deepEqual(readdirSync(outside), ['secret']);
});

test('hostile image: a link in the place of /etc or of a file in it does not lead out', async () => {
  const cases: readonly Readonly<Record<string, { linkTo: string }>>[] = [
    { etc: { linkTo: wayOut() } },
    { etc: { linkTo: outside } },
    { 'etc/hosts': { linkTo: `${wayOut()}/secret` } },
    { 'etc/resolv.conf': { linkTo: `${wayOut()}/new` } },
    { 'etc/hostname': { linkTo: '/proc/self/exe' } },
    { 'etc/passwd': { linkTo: `${wayOut()}/secret` }, 'etc/group': { linkTo: '/proc/self/environ' } },
  ];
  for (const entries of cases) {
    await importRoot(daemon, 'etc', { entries });
    await leakCheck(daemon, async () => {
      const { status, message } = await refusal({ image: 'etc', config: { User: 'root' } });
      assert.ok([204, 400].includes(status), `${JSON.stringify(entries)}: ${status} ${message}`);
    });
    assert.deepEqual(readdirSync(outside), ['secret']);
    assert.equal(readFileSync(join(outside, 'secret'), 'utf8'), 'secret');
  }
});

test('hostile image: volumes and working directories through links stay inside', async () => {
  const entries = {
    way: { linkTo: wayOut() },
    absolute: { linkTo: outside },
    magic: { linkTo: '/proc/1/root' },
  };
  const volumes = ['VOLUME /way', 'VOLUME /absolute', 'VOLUME /way/../secret', `VOLUME /magic${outside}`];
  for (const change of volumes) {
    await importRoot(daemon, 'paths', { entries, changes: [change] });
    await leakCheck(daemon, async () => {
      const id = await containers.create({
        image: 'paths',
        cmd: 'find / -name secret -type f -not -path "/proc/*"',
      });
      for (const { Source } of (await containers.inspect(id)).Mounts)
        assert.deepEqual(readdirSync(Source), []);
      const started = await daemon.ask('POST', `/containers/${id}/start`);
      if (started.status === 204) {
        assert.equal(await containers.exitCode(id), 0);
        assert.doesNotMatch(await containers.logs(id), /secret/);
      }
      await containers.remove(id);
    });
  }
  for (const directory of ['/way', '/absolute', `/magic${outside}`, '/way/new/folder']) {
    await importRoot(daemon, 'paths', { entries, changes: [`WORKDIR ${directory}`] });
    const id = await containers.create({ image: 'paths', cmd: 'ls -a .' });
    const started = await daemon.ask('POST', `/containers/${id}/start`);
    if (started.status === 204) {
      await containers.exitCode(id);
      assert.doesNotMatch(await containers.logs(id), /secret/, directory);
    }
    await containers.remove(id);
  }
  assert.deepEqual(readdirSync(outside), ['secret']);
});

test('hostile image: a number is an id, not the name of an entry; ids out of range are refused', async () => {
  await importRoot(daemon, 'users', {
    entries: {
      'etc/passwd':
        'root:x:0:0::/:/bin/sh\n1000:x:0:0::/:/bin/sh\nbig:x:4294967296:0::/:/bin/sh\nneg:x:-1:0::/:/bin/sh\n',
      'etc/group': 'root:x:0:\n1000:x:0:\nadmin:x:0:1000\n',
    },
  });
  const ids = async (User: string): Promise<string> =>
    (await containers.runToEnd({ image: 'users', cmd: 'id -u; id -g; id -G', config: { User } })).output;
  assert.equal(await ids('1000'), '1000\n0\n0\n');
  assert.equal(await ids('1000:1000'), '1000\n1000\n1000\n');
  for (const User of ['big', 'neg', '4294967296', '-1', '0:4294967296', '99999999999999999999', 'nobody']) {
    const { status, message } = await refusal({ image: 'users', config: { User } });
    assert.equal(status, 400, `${User}: ${message}`);
  }
  const id = await containers.run({ image: 'users' });
  const exec = await daemon.ask('POST', `/containers/${id}/exec`, { Cmd: ['id'], User: '4294967296' });
  assert.equal(exec.status, 400, exec.body.toString());
  assert.equal((await containers.exec(id, 'id -u', { User: '1000' })).output, '1000\n');
  await containers.remove(id);
});

test('hostile image: databases of users that are huge cost a refusal, not the memory of the daemon', async () => {
  const line = `user:x:1:1:${'x'.repeat(10_000)}:/:/bin/sh\n`;
  await importRoot(daemon, 'huge', {
    entries: { 'etc/passwd': line.repeat(3_000), 'etc/group': line.repeat(3_000) },
  });
  for (const User of ['user', '1', 'nobody']) {
    const { status, message } = await refusal({ image: 'huge', config: { User } });
    assert.equal(status, 400, message);
    assert.match(message, /passwd|group/);
  }
});

test('hostile image: its labels are shown, and reach neither the runtime nor the engine', async () => {
  const names = [
    'run.oci.hooks.stdout',
    'run.oci.handler',
    'org.systemd.property.ExecStop',
    'io.kubernetes.cri-o.annotations',
  ];
  const changes = names.map((name) => `LABEL ${name}=/bin/false`);
  await importRoot(daemon, 'labels', { changes });
  const id = await containers.run({ image: 'labels' });
  const config = JSON.parse(readFileSync(join(daemon.dir, 'run/containers', id, 'config.json'), 'utf8')) as {
    annotations?: Record<string, string>;
  };
  for (const name of names) assert.equal(config.annotations?.[name], undefined);
  assert.ok(!JSON.stringify(config).includes('/bin/false'));
  await containers.remove(id);
});

test('requests: nobody mounts over /dev, /proc, /sys or the root', async () => {
  for (const target of ['/dev', '/proc', '/sys', '/', '/proc/self', '/dev/../proc', '//sys/']) {
    const wishes: ContainerWish[] = [
      { host: { Binds: [`${outside}:${target}`] } },
      { host: { Tmpfs: { [target]: '' } } },
      { host: { Mounts: [{ Type: 'bind', Source: outside, Target: target }] } },
      { host: { Mounts: [{ Type: 'tmpfs', Target: target }] } },
      { host: { Binds: [`volume:${target}`] } },
    ];
    for (const wish of wishes) {
      const { status, message } = await refusal(wish);
      // 500 is Docker's answer to some of these.
      assert.ok([400, 500].includes(status), `${JSON.stringify(wish)}: ${status}`);
      assert.match(message, /invalid|mount/);
    }
  }
  assert.deepEqual(readdirSync(outside), ['secret']);
});
