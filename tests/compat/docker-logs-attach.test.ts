import { after, before, test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import { DockerCli } from '#tests/docker-cli.ts';

let daemon: TestDaemon;
let docker: DockerCli;

before(async () => {
  daemon = await TestDaemon.start();
  docker = new DockerCli(daemon);
  await daemon.loadBusybox();
});

after(() => daemon[Symbol.asyncDispose]());

test('docker logs: streams, tail, times', () =>
  docker.checkAll([
    {
      line: "docker run --name c1 busybox sh -c 'for i in 1 2 3; do echo o$i; echo e$i >&2; sleep 0.01; done'",
      out: 'o1\no2\no3\n',
    },
    { line: 'docker logs c1', out: 'o1\no2\no3\n', err: 'e1\ne2\ne3\n' },
    { line: 'docker logs c1 2>&1 | sort | tr "\\n" " "', out: 'e1 e2 e3 o1 o2 o3 ' },
    { line: 'docker logs --tail 2 c1 2>&1 | wc -l', out: '2\n' },
    { line: 'docker logs --tail 0 c1', out: '', err: '' },
    {
      line: 'docker logs --tail all c1 2>/dev/null | wc -l; docker logs --tail abc c1 2>/dev/null | wc -l',
      out: '3\n3\n',
    },
    { line: 'docker logs -t c1 2>/dev/null', out: /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z o\d\n){3}$/ },
    { line: 'docker logs --details c1 2>/dev/null', out: ' o1\n o2\n o3\n' },
    { line: 'docker logs -f c1 2>/dev/null', out: 'o1\no2\no3\n' },
    {
      line: 'docker logs --since 10m c1 2>/dev/null | wc -l; docker logs --until 10m c1 2>/dev/null | wc -l',
      out: '3\n0\n',
    },
    {
      line: 't=$(docker logs -t c1 2>/dev/null | sed -n 2p | cut -d" " -f1); docker logs --since $t c1 2>/dev/null; docker logs --until $t c1 2>/dev/null',
      out: 'o2\no3\no1\no2\n',
    },
    { line: 'docker logs --since bogus c1', code: 1, err: 'invalid value for "since"' },
    { line: 'docker rm c1; docker logs c1', code: 1, err: 'No such container: c1' },
  ]));

test('docker logs -f: follows to the end of the run', () =>
  docker.checkAll([
    { line: "docker run -d -i --name c1 busybox sh -c 'echo a; read x; echo b; printf c' >/dev/null" },
    {
      line: '(sleep 0.2; echo go | timeout 20 docker attach c1 >/dev/null) & docker logs -f c1; wait',
      out: 'a\nb\nc',
    },
    { line: 'docker rm c1' },
  ]));

test('docker logs: a terminal, long lines, no log', () =>
  docker.checkAll([
    {
      line: "docker run -t --name c1 busybox sh -c 'echo a; echo b >&2' >/dev/null; docker logs c1; docker rm c1 >/dev/null",
      out: 'a\r\nb\r\n',
    },
    {
      line: 'docker run --name c1 busybox sh -c \'head -c 100000 /dev/zero | tr "\\0" x; echo\' | wc -c; docker logs c1 | wc -c; docker rm c1 >/dev/null',
      out: '100001\n100001\n',
    },
    { line: 'docker run --log-driver none --name c1 busybox echo a', out: 'a\n' },
    { line: 'docker logs c1', code: 1, err: 'configured logging driver does not support reading' },
    { line: 'docker rm c1' },
  ]));

test('docker attach: output, exit code, stdin', () =>
  docker.checkAll([
    {
      line: "docker run -d -i --name c1 busybox sh -c 'read x; echo got $x; exit 6' >/dev/null; echo abc | docker attach c1",
      code: 6,
      out: 'got abc\n',
    },
    { line: 'docker attach c1', code: 1, err: 'cannot attach to a stopped container, start it first' },
    { line: 'docker rm c1; docker attach c1', code: 1, err: 'No such container: c1' },
    {
      line: 'docker run -d --name c1 busybox sleep 1000 >/dev/null; docker pause c1 >/dev/null; docker attach c1',
      code: 1,
      err: 'cannot attach to a paused container, unpause it first',
    },
    { line: 'docker rm -f c1' },
  ]));

test('docker attach: detach keys leave the container running', () =>
  docker.checkAll([
    { line: 'docker run -dit --name c1 busybox sh >/dev/null' },
    {
      line: `(sleep 1; printf 'echo a$((1+1))\\n'; sleep 1; printf '\\020\\021'; sleep 1) | script -qec "docker attach c1" /dev/null`,
      code: 1,
      out: /a2\r\n[^]*read escape sequence/,
    },
    { line: "docker inspect -f '{{.State.Running}}' c1", out: 'true\n' },
    {
      line: `(sleep 1; printf 'x'; sleep 1) | script -qec "docker attach --detach-keys x c1" /dev/null`,
      code: 1,
      out: /read escape sequence/,
    },
    { line: "docker inspect -f '{{.State.Running}}' c1; docker rm -f c1", out: 'true\nc1\n' },
    {
      line: 'docker run -d --name c1 busybox sleep 1000 >/dev/null; docker attach --detach-keys foo c1',
      code: 1,
      // 20.10 takes the answer for output.
      err: /unable to upgrade to tcp, received 400|Unrecognized input header/,
    },
    { line: 'docker exec --detach-keys foo c1 true', code: 1, err: 'Invalid escape keys (foo) provided' },
    { line: 'docker rm -f c1' },
  ]));
