import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import { DockerCli } from '#tests/docker-cli.ts';
import { until } from '#tests/until.ts';

let daemon: TestDaemon;
let docker: DockerCli;

before(async () => {
  daemon = await TestDaemon.start();
  docker = new DockerCli(daemon);
  await daemon.loadBusybox();
});

after(() => daemon[Symbol.asyncDispose]());

test('docker create, start, wait, rm', () =>
  docker.checkAll([
    { line: 'docker create --name c1 busybox echo a | wc -c', out: '65\n' },
    { line: 'docker wait c1', out: '0\n' },
    { line: 'docker start -a c1', out: 'a\n' },
    { line: 'docker start c1', out: 'c1\n' },
    { line: 'docker wait c1', out: '0\n' },
    { line: 'docker rm c1', out: 'c1\n' },
    { line: 'docker rm c1', code: 1, err: 'No such container: c1' },
    { line: 'docker start c1', code: 1, err: 'No such container: c1' },
    { line: 'docker wait c1', code: 1, err: 'No such container: c1' },
  ]));

test('docker start -ai: stdin reaches the program', () =>
  docker.checkAll([
    { line: 'docker create -i --name c1 busybox cat >/dev/null' },
    { line: 'echo hello | docker start -ai c1', out: 'hello\n' },
    { line: 'echo again | docker start -ai c1', out: 'again\n' },
    { line: 'docker rm c1', out: 'c1\n' },
  ]));

test('docker stop: the stop signal', async () => {
  await docker.ok(
    'docker run -d --name c1 busybox sh -c \'trap "echo got; exit 5" TERM; echo ready; while :; do sleep 0.1; done\'',
  );
  await docker.says('c1', 'ready');
  await docker.checkAll([
    { line: 'docker stop c1; docker logs c1; docker wait c1', out: 'c1\nready\ngot\n5\n' },
    { line: "docker inspect -f '{{.State.ExitCode}} {{.State.Status}}' c1", out: '5 exited\n' },
    { line: 'docker stop c1', out: 'c1\n' },
    { line: 'docker rm c1' },
  ]);
  await docker.ok(
    'docker run -d --name c2 --stop-signal USR1 busybox sh -c \'trap "exit 9" USR1; echo ready; while :; do sleep 0.1; done\'',
  );
  await docker.says('c2', 'ready');
  await docker.check({ line: 'docker stop c2; docker wait c2; docker rm c2', out: 'c2\n9\nc2\n' });
});

test('docker stop: SIGKILL when the time is up', () =>
  docker.checkAll([
    {
      line: 'docker run -d --name c1 busybox sleep 1000 >/dev/null; docker stop -t 0 c1; docker wait c1; docker rm c1',
      out: 'c1\n137\nc1\n',
    },
    {
      line: 'docker run -d --name c1 --stop-timeout 0 busybox sleep 1000 >/dev/null; docker stop c1; docker wait c1; docker rm c1',
      out: 'c1\n137\nc1\n',
    },
    { line: 'docker stop nope', code: 1, err: 'No such container: nope' },
  ]));

test('docker kill: signals by name and number', () =>
  docker.checkAll([
    {
      line: 'docker run -d --name c1 busybox sleep 1000 >/dev/null; docker kill c1; docker wait c1',
      out: 'c1\n137\n',
    },
    {
      line: 'docker kill c1',
      code: 1,
      err: /cannot kill container: c1: container [0-9a-f]{64} is not running/,
    },
    { line: 'docker start c1; docker kill -s FOO c1', code: 1, err: 'invalid signal: FOO' },
    { line: 'docker kill -s 0 c1', code: 1, err: 'invalid signal: 0' },
    { line: 'docker kill -s CONT c1; docker kill -s 18 c1', out: 'c1\nc1\n' },
    { line: 'docker kill nope', code: 1, err: 'cannot kill container: nope: No such container: nope' },
    { line: 'docker rm -f c1' },
  ]));

test('docker pause, unpause', () =>
  docker.checkAll([
    { line: 'docker run -d --name c1 busybox sleep 1000 >/dev/null; docker pause c1', out: 'c1\n' },
    { line: "docker ps --format '{{.State}} {{.Status}}'", out: /^paused Up .* \(Paused\)\n$/ },
    { line: 'docker pause c1', code: 1, err: 'is already paused' },
    { line: 'docker start c1', code: 1, err: 'cannot start a paused container, try unpause instead' },
    { line: 'docker exec c1 true', code: 1, err: 'is paused, unpause the container before exec' },
    { line: 'docker rm c1', code: 1, err: 'container is paused and must be unpaused first' },
    { line: 'docker unpause c1', out: 'c1\n' },
    { line: 'docker unpause c1', code: 1, err: 'is not paused' },
    { line: 'docker pause c1; docker stop -t 1 c1; docker wait c1', out: 'c1\nc1\n137\n' },
    { line: 'docker pause c1', code: 1, err: 'is not running' },
    { line: 'docker start c1; docker pause c1; docker kill c1; docker wait c1', out: 'c1\nc1\nc1\n137\n' },
    { line: 'docker start c1; docker pause c1; docker rm -f c1', out: 'c1\nc1\nc1\n' },
    { line: 'docker pause c1', code: 1, err: 'No such container: c1' },
  ]));

test('docker restart: also of stopped and auto-remove containers', () =>
  docker.checkAll([
    { line: 'docker run -d --name c1 busybox sleep 1000 >/dev/null; docker restart -t 0 c1', out: 'c1\n' },
    { line: "docker inspect -f '{{.State.Status}} {{.RestartCount}}' c1", out: 'running 0\n' },
    { line: 'docker stop -t 0 c1 >/dev/null; docker restart c1; docker rm -f c1', out: 'c1\nc1\n' },
    { line: 'docker restart c1', code: 1, err: 'No such container: c1' },
    {
      line: 'docker run -d --rm --name c1 busybox sleep 1000 >/dev/null; docker restart -t 0 c1; docker ps --format {{.Names}}',
      out: 'c1\nc1\n',
    },
    { line: 'docker stop -t 0 c1', out: 'c1\n' },
  ]));

test('docker rename', () =>
  docker.checkAll([
    {
      line: 'docker create --name c1 busybox true >/dev/null; docker create --name c2 busybox true >/dev/null',
    },
    { line: 'docker rename c1 c2', code: 1, err: 'is already in use by container' },
    {
      line: 'docker rename c1 c1',
      code: 1,
      err: 'Renaming a container with the same name as its current name',
    },
    { line: "docker rename c1 'a b'", code: 1, err: 'Invalid container name' },
    { line: 'docker rename c1 c3; docker rm c3 c2', out: 'c3\nc2\n' },
    { line: 'docker rename c1 c3', code: 1, err: 'No such container: c1' },
  ]));

test('docker rm: not one that runs', () =>
  docker.checkAll([
    {
      line: 'docker run -d --name c1 busybox sleep 1000 >/dev/null; docker rm c1',
      code: 1,
      err: 'container is running: stop the container before removing or force remove',
    },
    { line: 'docker rm -f c1; docker ps -aq', out: 'c1\n' },
  ]));

test('docker update: limits and what contradicts them', () =>
  docker.checkAll([
    { line: 'docker run -d --name c1 -m 64m --pids-limit 20 busybox sleep 1000 >/dev/null' },
    {
      line: "docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.PidsLimit}}' c1",
      out: '67108864 134217728 20\n',
    },
    {
      line: 'docker update -m 200m c1',
      code: 1,
      err: 'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
    },
    { line: 'docker update -m 100m c1; docker update -m 200m --memory-swap 300m c1', out: 'c1\nc1\n' },
    { line: 'docker update --pids-limit 30 c1; docker update --pids-limit -1 c1', out: 'c1\nc1\n' },
    {
      line: "docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.PidsLimit}}' c1",
      out: '209715200 314572800 0\n',
    },
    {
      line: 'docker update --cpus 0.5 c1; docker update --cpu-quota 5000 c1',
      code: 1,
      err: 'Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set',
    },
    {
      line: 'docker update --cpu-period 5000 c1',
      code: 1,
      err: 'Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set',
    },
    {
      line: 'docker update --memory-reservation 1k c1',
      code: 1,
      err: 'Minimum memory reservation allowed is 6MB',
    },
    {
      line: 'docker update --cpuset-cpus 0-999 c1',
      code: 1,
      err: 'Requested CPUs are not available - requested 0-999',
    },
    {
      line: 'docker update --restart always c1; docker inspect -f {{.HostConfig.RestartPolicy.Name}} c1',
      out: 'c1\nalways\n',
    },
    { line: 'docker update c1', code: 1, err: 'you must provide one or more flags' },
    { line: 'docker rm -f c1; docker update --cpus 1 c1', code: 1, err: 'No such container: c1' },
  ]));

test('docker run --restart: again and again, until stopped or tired', async () => {
  await docker.ok('docker run -d --name c1 --restart on-failure:2 busybox false >/dev/null');
  await until(
    async () =>
      (await docker.ok("docker inspect -f '{{.RestartCount}} {{.State.Status}}' c1")) === '2 exited',
    { what: 'c1 gives up after two restarts' },
  );
  await docker.ok('docker run -d --name c2 --restart always busybox false >/dev/null');
  await until(async () => Number(await docker.ok('docker inspect -f {{.RestartCount}} c2')) >= 2, {
    what: 'c2 was started again twice',
  });
  await docker.ok('docker stop c2');
  const count = await docker.ok("docker inspect -f '{{.RestartCount}} {{.State.Status}}' c2");
  assert.match(count, /^\d+ exited$/);
  await docker.ok('docker rm c1 c2');
});

test('docker container prune', () =>
  docker.checkAll([
    {
      line: 'docker create --name c1 --label keep busybox true >/dev/null; docker create --name c2 busybox true >/dev/null',
    },
    { line: "docker container prune -f --filter 'label!=keep' | grep -cE '^[0-9a-f]{64}$'", out: '1\n' },
    {
      line: 'docker ps -a --format {{.Names}}; docker container prune -f | tail -1; docker ps -aq',
      out: /^c1\nTotal reclaimed space: .*\n$/,
    },
    { line: "docker container prune -f --filter 'foo=bar'", code: 1, err: "invalid filter 'foo'" },
  ]));

test('docker top, stats, port', () =>
  docker.checkAll([
    { line: 'docker run -d --name c1 -p 127.0.0.1:18081:80 -p 81/udp busybox sleep 1000 >/dev/null' },
    { line: 'docker top c1 | head -1', out: /^UID +PID +PPID +C +STIME +TTY +TIME +CMD *\n$/ },
    { line: 'docker top c1 -o pid,args | tail -1', out: /^\d+ +sleep 1000 *\n$/ },
    { line: 'docker top c1 --bogus', code: 1, err: /ps:|error/ },
    {
      line: "docker stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' c1",
      out: /^c1 1 [\d.]+[KM]iB \/ [\d.]+[GM]iB\n$/,
    },
    { line: 'docker port c1 80', out: '127.0.0.1:18081\n' },
    { line: 'docker port c1', out: /80\/tcp -> 127\.0\.0\.1:18081\n/ },
    { line: 'docker port c1 82', code: 1, err: /[Nn]o public port '82.*' published for c1/ },
    { line: 'docker rm -f c1; docker top c1', code: 1, err: 'No such container: c1' },
    { line: 'docker stats --no-stream c1', code: 1, err: 'No such container: c1' },
  ]));
