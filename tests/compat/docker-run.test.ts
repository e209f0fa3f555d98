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

test('docker run: output, exit codes and stdin', () =>
  docker.checkAll([
    { line: 'docker run --rm busybox echo hi', out: 'hi\n', err: '' },
    {
      line: "docker run --rm busybox sh -c 'echo out; echo err >&2; exit 3'",
      code: 3,
      out: 'out\n',
      err: 'err',
    },
    { line: "docker run --rm --init busybox sh -c 'kill -9 $$'", code: 137 },
    { line: "docker run --rm busybox sh -c 'kill -TERM $$; sleep 1'", code: 0 },
    { line: 'echo hi | docker run --rm -i busybox cat', out: 'hi\n', err: '' },
    { line: 'echo hi | docker run --rm busybox cat', out: '', err: '' },
    { line: "printf 'a\\nb\\n' | docker run --rm -i busybox wc -l", out: '2\n' },
    { line: 'docker run --rm -a stderr busybox sh -c "echo o; echo e >&2"', out: '', err: 'e' },
    { line: 'docker run --rm busybox dd if=/dev/zero bs=1M count=20 2>/dev/null | wc -c', out: '20971520\n' },
    { line: 'docker ps -aq', out: '' },
  ]));

test('docker run: a program that cannot be started gives 126 or 127, and nothing stays', () =>
  docker.checkAll([
    {
      line: 'docker run --rm busybox nonexist',
      code: 127,
      out: '',
      err: 'exec: "nonexist": executable file not found in $PATH',
    },
    { line: 'docker run --rm busybox /etc', code: 126, err: 'exec: "/etc": permission denied' },
    { line: 'docker run --rm busybox /etc/passwd', code: 126, err: 'exec: "/etc/passwd": permission denied' },
    { line: 'docker ps -aq', out: '' },
    { line: 'docker run --name failed busybox nonexist', code: 127 },
    {
      line: "docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.Running}}' failed",
      out: 'created 127 false\n',
    },
    { line: 'docker start failed', code: 1, err: 'executable file not found in $PATH' },
    { line: 'docker rm failed', out: 'failed\n' },
  ]));

test('docker run: what is refused gives 125 with the reason', () =>
  docker.checkAll([
    {
      line: 'docker run --rm nonexist true',
      code: 125,
      err: "Unable to find image 'nonexist:latest' locally",
    },
    { line: 'docker run --rm --bogus busybox true', code: 125, err: 'unknown flag: --bogus' },
    {
      line: "docker run --rm --name 'a b' busybox true",
      code: 125,
      err: 'Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed',
    },
    { line: 'docker run --rm -m 1k busybox true', code: 125, err: 'Minimum memory limit allowed is 6MB' },
    {
      line: 'docker run --rm -u nope busybox id',
      code: 125,
      err: 'unable to find user nope: no matching entries in passwd file',
    },
    {
      line: 'docker run --rm -u root:nope busybox id',
      code: 125,
      err: 'unable to find group nope: no matching entries in group file',
    },
    {
      line: 'docker run --rm --group-add nope busybox id',
      code: 125,
      err: 'unable to find group nope: no matching entries in group file',
    },
    {
      line: 'docker run --rm -w rel busybox pwd',
      code: 125,
      err: "the working directory 'rel' is invalid, it needs to be an absolute path",
    },
    { line: 'docker run --rm --cap-add FOO busybox true', code: 125, err: 'unknown capability: "CAP_FOO"' },
    {
      line: 'docker run --rm --security-opt foo=bar busybox true',
      code: 125,
      err: 'invalid --security-opt 2: "foo=bar"',
    },
    {
      line: 'docker run --rm --device /dev/nonexist busybox true',
      code: 127,
      err: '"/dev/nonexist": no such file or directory',
    },
    {
      line: 'docker run --rm --oom-score-adj 5000 busybox true',
      code: 125,
      err: 'range for oom score adj is [-1000, 1000]',
    },
    { line: 'docker run --rm --ipc foo busybox true', code: 125, err: 'invalid IPC mode: foo' },
    { line: 'docker run --rm --pid foo busybox true', code: 125, err: 'invalid PID mode' },
    {
      line: 'docker run --rm --uts host -h a busybox true',
      code: 125,
      err: 'conflicting options: hostname and the UTS mode',
    },
    { line: 'docker run --rm --net foo busybox true', code: 125, err: 'network foo not found' },
    {
      line: 'docker run --rm --net container:foo busybox true',
      code: 125,
      err: 'joining network namespace of container: No such container: foo',
    },
    { line: 'docker run --rm --restart always busybox true', code: 125, err: /[Cc]onflicting options/ },
    { line: 'docker run --restart foo busybox true', code: 125, err: /restart policy/ },
    {
      line: 'docker run --log-driver foo busybox true',
      code: 125,
      err: 'error looking up logging plugin foo: plugin "foo" not found',
    },
    {
      line: 'docker run --log-opt foo=bar busybox true',
      code: 125,
      err: "unknown log opt 'foo' for json-file log driver",
    },
    { line: 'docker run --sysctl foo.bar=1 busybox true', code: 125, err: 'foo.bar' },
    { line: 'docker ps -aq | xargs -r docker rm >/dev/null; docker ps -aq', out: '' },
  ]));

test('docker run: --cidfile is written once', () =>
  docker.checkAll([
    { line: 'docker run --cidfile cid --rm busybox true; wc -c <cid', out: '64\n' },
    { line: 'docker run --cidfile cid --rm busybox true', code: 125, err: /[Cc]ontainer ID file found/ },
    {
      line: 'docker create --cidfile cid2 busybox true >/dev/null; docker rm $(cat cid2) | wc -c',
      out: '65\n',
    },
  ]));

test('docker run: a terminal', () =>
  docker.checkAll([
    { line: "docker run --rm -t busybox sh -c 'tty; echo $TERM'", out: '/dev/pts/0\r\nxterm\r\n' },
    {
      line: `script -qec "docker run --rm -it busybox sh -c 'tty; exit 7'" /dev/null </dev/null`,
      code: 7,
      // Of an input that has ended `script` shows a ^@, before or after.
      out: /^(?:\^@)?\/dev\/pts\/0\r\n/,
    },
    {
      line: `(sleep 0.1; echo 'echo size $(stty size) end'; echo 'exit 3') | script -qec "stty rows 33 cols 99; docker run --rm -it busybox sh" /dev/null`,
      code: 3,
      out: /size 33 99 end/,
    },
    { line: 'docker run --rm -it busybox true', code: 1, err: /the input device is not a TTY/i },
  ]));

test('docker run: a name that is taken', () =>
  docker.checkAll([
    { line: 'docker run --name taken busybox true' },
    {
      line: 'docker run --name taken busybox true',
      code: 125,
      err: /Conflict\. The container name "\/taken" is already in use by container "[0-9a-f]{64}"\. You have to remove \(or rename\) that container to be able to reuse that name\./,
    },
    { line: 'docker rm taken', out: 'taken\n' },
  ]));

test('docker run --platform: an image for another platform does not do', () =>
  docker.checkAll([
    {
      line: 'docker run --rm --platform linux/$(docker version -f "{{.Server.Arch}}") busybox echo a',
      out: 'a\n',
    },
    {
      line: 'docker create --platform linux/s390x busybox true',
      code: 1,
      err: /Unable to find image|does not match the specified platform/,
    },
  ]));
