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

test('docker exec: output, exit codes, stdin', () =>
  docker.checkAll([
    { line: 'docker run -d --name c1 -e X=y -w /tmp busybox sleep 1000 >/dev/null' },
    { line: 'docker exec c1 echo hi', out: 'hi\n', err: '' },
    { line: "docker exec c1 sh -c 'echo o; echo e >&2; exit 4'", code: 4, out: 'o\n', err: 'e' },
    { line: 'echo in | docker exec -i c1 cat', out: 'in\n' },
    { line: 'echo in | docker exec c1 cat', out: '' },
    { line: 'head -c 3000000 /dev/zero | docker exec -i c1 wc -c', out: '3000000\n' },
    { line: 'docker exec c1 dd if=/dev/zero bs=1M count=5 2>/dev/null | wc -c', out: '5242880\n' },
    { line: 'docker exec -t c1 tty', out: /^\/dev\/pts\/\d+\r\n$/ },
    { line: 'script -qec "docker exec -it c1 sh -c \'exit 9\'" /dev/null </dev/null', code: 9 },
    { line: 'docker exec c1 pwd; docker exec -w /etc c1 pwd', out: '/tmp\n/etc\n' },
    { line: 'docker exec -e A=b c1 env | grep -E "^(A|X|HOME)="', out: 'X=y\nA=b\nHOME=/root\n' },
    {
      line: 'docker exec -u 5:6 c1 id; docker exec -u nobody c1 id -un',
      out: 'uid=5 gid=6 groups=6\nnobody\n',
    },
    { line: 'docker exec c1 grep CapEff /proc/self/status', out: 'CapEff:\t00000000a80425fb\n' },
    {
      line: 'docker exec --privileged c1 grep CapEff /proc/self/status',
      out: /^CapEff:\t[0-9a-f]+[ef]ff+\n$/,
    },
    { line: "docker exec -d c1 sh -c 'echo done >/x; sleep 1000'", out: '' },
    { line: 'docker exec c1 sh -c "until grep -s done /x; do sleep 0.05; done"', out: 'done\n' },
    { line: "docker inspect -f '{{len .ExecIDs}}' c1", out: '1\n' },
    { line: 'docker rm -f c1' },
  ]));

test('docker exec: a program that cannot be started', () =>
  docker.checkAll([
    { line: 'docker run -d --name c1 busybox sleep 1000 >/dev/null' },
    {
      line: 'docker exec c1 nonexist',
      code: 127,
      out: /^OCI runtime exec failed: .*exec: "nonexist": executable file not found in \$PATH/,
    },
    { line: 'docker exec c1 /etc', code: 126, out: /exec: "\/etc": permission denied/ },
    { line: 'docker exec -w /nope c1 pwd', code: 127, out: /no such file or directory/ },
    {
      line: 'docker exec -u nope c1 id',
      code: 1,
      err: 'unable to find user nope: no matching entries in passwd file',
    },
    { line: 'docker rm -f c1' },
  ]));

test('docker exec: only in a container that runs', () =>
  docker.checkAll([
    { line: 'docker exec nope true', code: 1, err: 'No such container: nope' },
    {
      line: 'docker create --name c1 busybox true >/dev/null; docker exec c1 true',
      code: 1,
      err: 'is not running',
    },
    { line: 'docker rm c1' },
    {
      line: 'docker run -d --name c1 busybox sleep 1000 >/dev/null; docker exec -d c1 sleep 1000; docker rm -f c1',
      out: 'c1\n',
    },
  ]));

test('docker exec: the exit code is known when the output ends', () =>
  docker.checkAll([
    { line: 'docker run -d --name c1 busybox sleep 1000 >/dev/null' },
    { line: "docker exec c1 sh -c 'exec >&- 2>&-; sleep 0.3; exit 7'", code: 7 },
    {
      line: "for i in 1 2 3 4 5 6 7 8; do docker exec -t c1 sh -c 'exit 9'; echo $?; done | uniq",
      out: '9\n',
    },
    { line: 'docker rm -f c1' },
  ]));

test('docker exec: ends with its container', () =>
  docker.checkAll([
    { line: 'docker run -d --name c1 busybox sleep 1000 >/dev/null' },
    {
      line: '(docker exec c1 true; docker kill c1 >/dev/null) & docker exec c1 sleep 1000; code=$?; wait; echo $code',
      out: '137\n',
    },
    { line: 'docker rm c1' },
  ]));
