import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { readMountInfo } from '#/kernel/mountinfo.ts';
import { StepFixture } from '#tests/steps.ts';
import { until } from '#tests/until.ts';
import { StepError } from '../../step-error.ts';
import type { RunMount } from './definition.ts';

const box = await StepFixture.open();
after(() => box[Symbol.asyncDispose]());

const nobody = { uid: 0, gid: 0, mode: 0o755 };

/** Everything that the step has left in its layer. */
function layerOf(snapshot: string): string[] {
  return readdirSync(box.parts.snapshots.upperDir(snapshot), {
    recursive: true,
    encoding: 'utf8',
  }).toSorted();
}

function nothingIsLeft(): void {
  assert.deepEqual(readdirSync(box.parts.runRoot), []);
  assert.deepEqual(readdirSync(box.parts.runtime.root), []);
  const mounts = readMountInfo().filter(({ mountPoint }) => mountPoint.startsWith(box.parts.runRoot));
  assert.deepEqual(mounts, []);
}

test('runStep: the layer has what the process wrote and no trace of the rest', async () => {
  const { output, snapshot } = await box.shell('echo hello; mkdir /made; echo x >/made/file; hostname');
  assert.equal(output, 'hello\nbuildkitsandbox\n');
  assert.deepEqual(layerOf(snapshot), ['made', 'made/file']);
  nothingIsLeft();
});

test('runStep: a failure tells the command and its exit code', async () => {
  await assert.rejects(box.shell('exit 3'), (error) => {
    assert.ok(error instanceof StepError);
    assert.equal(error.message, 'process "sh -c exit 3" did not complete successfully: exit code: 3');
    return error.exitCode === 3;
  });
  await assert.rejects(box.shell('', { definition: { args: ['/nowhere'] } }), /stat \/nowhere: no such file/);
  await assert.rejects(box.shell('true', { definition: { user: 'ghost' } }), /unable to find user ghost/);
  nothingIsLeft();
});

test('runStep: user, directory, variables and limits are those that were asked for', async () => {
  const { output } = await box.shell('id -u; pwd; echo $A $HOME; ulimit -n; df -k /dev/shm | tail -1', {
    definition: { user: 'alice', cwd: '/some/where', env: ['A=b'] },
    defaults: { ulimits: [{ name: 'nofile', soft: 99, hard: 100 }], shmSize: 1 << 20 },
  });
  assert.match(output, /^1000\n\/some\/where\nb \/home\/alice\n99\nshm +1024 /);
});

test('runStep: who is not to be privileged is not', async () => {
  const probe = 'grep CapEff /proc/self/status; mount -t tmpfs t /tmp 2>&1 && echo mounted';
  await assert.rejects(box.shell(probe), StepError);
  const { output } = await box.shell(probe, { definition: { insecure: true } });
  assert.match(output, /mounted/);
});

test('runStep: an abort ends all processes', async () => {
  const control = new AbortController();
  const reason = new Error('enough');
  const work = box.shell('sleep 1000 & echo up >/up; exec sleep 1000', { signal: control.signal });
  await until(() => readdirSync(box.parts.runtime.root).length > 0, { what: 'the step runs' });
  control.abort(reason);
  await assert.rejects(work, reason);
  nothingIsLeft();
});

test('runStep: places for mounts leave no trace, in whatever part of the tree', async () => {
  const tmpfs = (target: string): RunMount => ({ kind: 'tmpfs', target, size: 1 << 20 });
  const { output, snapshot } = await box.shell('touch /a/b/c/x /etc/deep/y; ls -d /a/b/c /etc/deep', {
    definition: { mounts: [tmpfs('/a/b/c'), tmpfs('/etc/deep')] },
  });
  assert.equal(output, '/a/b/c\n/etc/deep\n');
  assert.deepEqual(layerOf(snapshot), []);
  // Where a lower layer hides what is below it, too.
  const { snapshot: hiding } = await box.shell('rm -r /home && ln -s /gone /link');
  await box.parts.snapshots.commit(hiding, 'hiding');
  const second = await box.shell('touch /home/x/y /link/z', {
    parent: 'hiding',
    definition: { mounts: [tmpfs('/home/x'), tmpfs('/link')] },
  });
  assert.deepEqual(
    layerOf(second.snapshot).filter((name) => !name.startsWith('home')),
    [],
  );
  nothingIsLeft();
});

test('runStep: binds show trees, read-only or with changes that are lost', async () => {
  const root = join(box.dir, 'context');
  mkdirSync(join(root, 'sub'), { recursive: true });
  writeFileSync(join(root, 'sub/file'), 'content');
  symlinkSync('/etc', join(root, 'out'));
  const bind = (path: string, writable: boolean): RunMount => ({
    kind: 'bind',
    target: '/mnt',
    tree: { kind: 'directory', root, isShared: false, version: undefined },
    path,
    writable,
  });
  const run = (line: string, mount: RunMount): Promise<{ output: string; snapshot: string }> =>
    box.shell(line, { definition: { mounts: [mount] } });
  assert.equal((await run('cat /mnt/sub/file', bind('/', false))).output, 'content');
  assert.equal((await run('cat /mnt', bind('sub/file', false))).output, 'content');
  await assert.rejects(run('touch /mnt/new', bind('/', false)), StepError);
  assert.equal((await run('echo new >/mnt/sub/file; cat /mnt/sub/file', bind('/', true))).output, 'new\n');
  assert.equal(readFileSync(join(root, 'sub/file'), 'utf8'), 'content');
  // Links out of a tree end at its root.
  await assert.rejects(run('true', bind('out', false)), /not found/);
  await assert.rejects(run('true', bind('../../etc/passwd', false)), /cannot mount .*: not found/);
  const layer: RunMount = {
    kind: 'bind',
    target: '/other',
    tree: { kind: 'layer', chainId: 'busybox' as never },
    path: 'bin',
    writable: false,
  };
  assert.match((await run('ls /other', layer)).output, /^busybox$/m);
  nothingIsLeft();
});

test('runStep: a cache keeps what steps leave in it', async () => {
  const cache = (change: Partial<RunMount & { kind: 'cache' }> = {}): RunMount => ({
    kind: 'cache',
    target: '/cache',
    id: '../../etc',
    sharing: 'shared',
    tree: undefined,
    path: '',
    readonly: false,
    ...nobody,
    ...change,
  });
  const run = async (line: string, mount: RunMount): Promise<string> =>
    (await box.shell(line, { definition: { mounts: [mount] } })).output;
  await run('echo one >/cache/file', cache());
  assert.equal(await run('cat /cache/file', cache()), 'one\n');
  assert.equal(
    await run('ls -l /cache; stat -c "%u %a" /cache', cache({ id: 'b', uid: 7, mode: 0o700 })),
    'total 0\n7 700\n',
  );
  const from = cache({ id: 'c', tree: { kind: 'layer', chainId: 'busybox' as never }, path: '/etc' });
  assert.equal(await run('head -1 /cache/group', from), 'root:x:0:\n');
  const records = await box.parts.cacheMounts.list();
  assert.deepEqual(
    records.map(({ name, uses, inUse }) => ({ name, uses, inUse })),
    [
      { name: '../../etc', uses: 2, inUse: false },
      { name: 'b', uses: 1, inUse: false },
      { name: 'c', uses: 1, inUse: false },
    ],
  );
  assert.equal(records[0]?.size, 4);
  for (const { id } of records) await box.parts.cacheMounts.remove(id);
  nothingIsLeft();
});

test('runStep: sharing decides who uses a cache at the same time', async () => {
  const run = (sharing: 'shared' | 'private' | 'locked', line: string): Promise<{ output: string }> => {
    const mount: RunMount = {
      kind: 'cache',
      target: '/c',
      id: sharing,
      sharing,
      tree: undefined,
      path: '',
      readonly: false,
      ...nobody,
    };
    return box.shell(line, { definition: { mounts: [mount] } });
  };
  const meet =
    'touch /c/$$-$(cat /proc/sys/kernel/random/uuid); for i in $(seq 100); do [ $(ls /c | wc -l) = 2 ] && exit 0; sleep 0.05; done; exit 1';
  await Promise.all([run('shared', meet), run('shared', meet)]);
  const alone = '[ -e /c/busy ] && exit 1; touch /c/busy; sleep 0.2; rm /c/busy';
  await Promise.all([run('private', alone), run('private', alone)]);
  await Promise.all([run('locked', alone), run('locked', alone)]);
  const records = await box.parts.cacheMounts.list();
  assert.deepEqual(records.map(({ name }) => name).toSorted(), ['locked', 'private', 'private', 'shared']);
  for (const { id } of records) await box.parts.cacheMounts.remove(id);
});

test('runStep: a secret is in the file and variable that were asked for, and nowhere else', async () => {
  const secrets = {
    get: (id: string): Promise<Buffer | undefined> =>
      Promise.resolve(id === 'key' ? Buffer.from('s3cret') : undefined),
  };
  const secret: RunMount = {
    kind: 'secret',
    id: 'key',
    target: '/run/secrets/key',
    variable: 'KEY',
    required: true,
    uid: 1000,
    gid: 10,
    mode: 0o440,
  };
  const { output, snapshot } = await box.shell(
    'cat /run/secrets/key; echo; stat -c "%u %g %a" /run/secrets/key; echo $KEY',
    {
      definition: { mounts: [secret] },
      secrets,
    },
  );
  assert.equal(output, 's3cret\n1000 10 440\ns3cret\n');
  assert.deepEqual(layerOf(snapshot), []);
  const other = { ...secret, id: 'other' };
  await assert.rejects(
    box.shell('true', { definition: { mounts: [other] }, secrets }),
    /secret other: not found/,
  );
  const { output: without } = await box.shell('echo "[$KEY]"; ls /run/secrets 2>/dev/null || true', {
    definition: { mounts: [{ ...other, required: false }] },
    secrets,
  });
  assert.equal(without, '[]\n');
  nothingIsLeft();
});

test('runStep: an agent can be reached while the step runs', async () => {
  const path = join(box.dir, 'agent');
  await using server = createServer((socket) =>
    socket.on('data', (data) => socket.end(`got ${data.toString()}`)),
  );
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const ssh = { has: (id: string) => Promise.resolve(id === 'default'), connect: () => connect(path) };
  const mount: RunMount = {
    kind: 'ssh',
    id: 'default',
    target: '/run/agent',
    required: true,
    ...nobody,
    mode: 0o600,
  };
  const control = new AbortController();
  let said = '';
  const line = 'echo $SSH_AUTH_SOCK $(stat -c %a $SSH_AUTH_SOCK); sleep 1000';
  const work = box.shell(line, {
    definition: { mounts: [mount] },
    ssh,
    signal: control.signal,
    output: (text) => {
      said += text;
    },
  });
  await until(() => said !== '', { what: 'the step runs' });
  assert.equal(said, '/run/agent 600\n');
  const [step = ''] = readdirSync(box.parts.runRoot);
  const client = connect(join(box.parts.runRoot, step, 'memory/0/f'));
  client.write('ping');
  assert.equal(await text(client), 'got ping');
  control.abort(new Error('enough'));
  await assert.rejects(work, /enough/);
  await assert.rejects(
    box.shell('true', { definition: { mounts: [{ ...mount, id: 'x' }] }, ssh }),
    /unset ssh forward key x/,
  );
  nothingIsLeft();
});

test('runStep: networks', async () => {
  const names = {
    extraHosts: [
      { name: 'other', address: '192.0.2.7' },
      { name: 'gw', address: 'host-gateway' },
    ],
  };
  const run = (kind: 'default' | 'none' | 'host'): Promise<{ output: string; snapshot: string }> =>
    box.shell('ls /sys/class/net | tr "\\n" " "; grep -E "other|gw" /etc/hosts', {
      definition: { network: { kind } },
      defaults: names,
    });
  assert.equal((await run('none')).output, 'lo 192.0.2.7\tother\n');
  const { output, snapshot } = await run('default');
  assert.equal(output, 'eth0 lo 192.0.2.7\tother\n172.17.0.1\tgw\n');
  assert.deepEqual(layerOf(snapshot), []);
  assert.match((await run('host')).output, /docker0|skiff0|lo/);
  await assert.rejects(
    box.shell('true', { definition: { network: { kind: 'named', name: 'nowhere' } } }),
    /network nowhere not found/,
  );
  assert.equal(box.parts.networks.endpointsIn(box.parts.networks.find('bridge')).length, 0);
  nothingIsLeft();
});

test('runStep: unread output does not pile up', async () => {
  const { output } = await box.shell('head -c 3000000 /dev/zero | tr "\\0" x');
  assert.equal(output.length, 3_000_000);
});

test('runStep: files of the Dockerfile are there', async () => {
  const file: RunMount = {
    kind: 'file',
    target: '/dev/pipes/EOF',
    content: '#!/bin/sh\necho from file\n',
    mode: 0o755,
  };
  const { output, snapshot } = await box.shell('', {
    definition: { args: ['/dev/pipes/EOF'], mounts: [file] },
  });
  assert.equal(output, 'from file\n');
  assert.deepEqual(layerOf(snapshot), []);
  assert.ok(statSync(box.dir).isDirectory());
});
