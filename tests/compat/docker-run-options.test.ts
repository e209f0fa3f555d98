import { hostname } from 'node:os';
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

test('docker run: user, groups, folder, entrypoint, environment', () =>
  docker.checkAll([
    { line: 'docker run --rm -u 1000:1001 busybox id', out: 'uid=1000 gid=1001 groups=1001\n' },
    { line: 'docker run --rm -u nobody busybox id -u', out: '65534\n' },
    {
      line: 'docker run --rm -u nobody:daemon busybox id',
      out: 'uid=65534(nobody) gid=1(daemon) groups=1(daemon)\n',
    },
    { line: 'docker run --rm --group-add daemon --group-add 77 busybox id -G', out: '0 1 77\n' },
    { line: 'docker run --rm -w /x/y busybox pwd', out: '/x/y\n' },
    { line: "docker run --rm -u nobody -e HOME= busybox sh -c 'echo $HOME'", out: '/home\n' },
    { line: 'docker run --rm --entrypoint echo busybox a b', out: 'a b\n' },
    { line: "docker run --rm --entrypoint '' busybox echo a", out: 'a\n' },
    {
      line: 'C=1 docker run --rm -h host1 -e A=b -e C -e D busybox env',
      out: 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nHOSTNAME=host1\nA=b\nC=1\nHOME=/root\n',
    },
    {
      line: 'printf "X=1\\nY=2\\n" >env; docker run --rm --env-file env busybox sh -c \'echo $X$Y\'',
      out: '12\n',
    },
  ]));

test('docker run: names and name servers', () =>
  docker.checkAll([
    {
      line: "docker run --rm -h myhost --domainname example.com busybox sh -c 'hostname; cat /etc/hostname /proc/sys/kernel/domainname; grep myhost /etc/hosts | cut -f2'",
      out: 'myhost\nmyhost\nexample.com\nmyhost.example.com myhost\n',
    },
    {
      line: 'docker run --rm --add-host foo:1.2.3.4 --add-host bar:host-gateway busybox sh -c \'grep -E "foo|bar" /etc/hosts\'',
      out: '1.2.3.4\tfoo\n172.17.0.1\tbar\n',
    },
    { line: 'docker run --rm --add-host foo busybox true', code: 125, err: 'bad format for add-host: "foo"' },
    {
      line: 'docker run --rm --dns 1.2.3.4 --dns-search example.org --dns-option ndots:3 busybox grep -v "^#" /etc/resolv.conf',
      out: 'nameserver 1.2.3.4\nsearch example.org\noptions ndots:3\n',
    },
    { line: 'docker run --rm --net host busybox hostname', out: `${hostname()}\n` },
  ]));

test('docker run: file systems', () =>
  docker.checkAll([
    {
      line: 'docker run --rm --read-only busybox touch /etc/hosts',
      code: 1,
      err: 'touch: /etc/hosts: Read-only file system\n',
    },
    { line: 'docker run --rm --device /etc busybox true', code: 125, err: '"/etc": not a device node' },
    { line: 'docker run --rm --read-only busybox touch /x', code: 1, err: 'Read-only file system' },
    { line: 'docker run --rm --read-only --tmpfs /t busybox touch /t/x' },
    {
      line: 'docker run --rm --tmpfs /t:size=1m,mode=700 busybox sh -c \'mount | grep " /t "\'',
      out: /^tmpfs on \/t type tmpfs \(rw,nosuid,nodev,noexec,relatime,size=1024k,mode=700\)\n$/,
    },
    {
      line: 'docker run --rm --mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=0755 busybox sh -c \'mount | grep " /t "\'',
      out: /size=1024k,mode=755/,
    },
    { line: "docker run --rm --shm-size 1m busybox sh -c 'df -k /dev/shm | tail -1'", out: /^shm +1024 / },
    {
      line: 'docker run --rm --device /dev/null:/dev/mynull busybox ls -l /dev/mynull',
      out: /^crw-rw-rw- .* 1, +3 /,
    },
    { line: 'docker run --rm --device-cgroup-rule "c 1:3 rwm" busybox true' },
    { line: 'docker run --rm busybox sh -c \'mount | grep -c " /etc/"\'', out: '3\n' },
  ]));

test('docker run: limits', () =>
  docker.checkAll([
    {
      line: "docker run --rm --ulimit nofile=100:200 busybox sh -c 'ulimit -n; ulimit -Hn'",
      out: '100\n200\n',
    },
    { line: 'docker run --rm --ulimit foo=1 busybox true', code: 125, err: 'invalid ulimit type: foo' },
    {
      line: 'docker run --rm --ulimit nofile=10:1 busybox true',
      code: 125,
      err: 'ulimit soft limit must be less than or equal to hard limit: 10 > 1',
    },
    {
      line: 'docker run --rm --sysctl net.ipv4.ip_forward=1 busybox cat /proc/sys/net/ipv4/ip_forward',
      out: '1\n',
    },
    {
      line: 'docker run --rm --sysctl kernel.msgmax=5000 busybox cat /proc/sys/kernel/msgmax',
      out: '5000\n',
    },
    { line: 'docker run --rm --oom-score-adj 500 busybox cat /proc/self/oom_score_adj', out: '500\n' },
  ]));

test('docker run: capabilities and confinement', () =>
  docker.checkAll([
    {
      line: "docker run --rm busybox grep -E 'Cap(Eff|Bnd)|Seccomp:|NoNewPrivs' /proc/self/status",
      out: 'CapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\nNoNewPrivs:\t0\nSeccomp:\t2\n',
    },
    {
      line: 'docker run --rm --cap-drop ALL busybox grep CapEff /proc/self/status',
      out: 'CapEff:\t0000000000000000\n',
    },
    {
      line: 'docker run --rm --cap-drop ALL --cap-add NET_ADMIN busybox grep CapEff /proc/self/status',
      out: 'CapEff:\t0000000000001000\n',
    },
    {
      line: 'docker run --rm -u 1000 --cap-add SYS_ADMIN busybox grep -E "Cap(Eff|Bnd)" /proc/self/status',
      out: 'CapEff:\t0000000000000000\nCapBnd:\t00000000a82425fb\n',
    },
    {
      line: 'docker run --rm --security-opt no-new-privileges busybox grep NoNewPrivs /proc/self/status',
      out: 'NoNewPrivs:\t1\n',
    },
    {
      line: 'docker run --rm --security-opt seccomp=unconfined busybox grep Seccomp: /proc/self/status',
      out: 'Seccomp:\t0\n',
    },
    { line: 'docker run --rm --privileged busybox grep Seccomp: /proc/self/status', out: 'Seccomp:\t0\n' },
    {
      line: 'docker run --rm --privileged busybox sh -c \'mount | grep -c "^sysfs.*(ro"\'',
      code: 1,
      out: '0\n',
    },
    {
      line: "docker run --rm busybox sh -c 'cat /proc/kcore | wc -c; cat /proc/keys | wc -c; ls /proc/acpi | wc -l'",
      out: '0\n0\n0\n',
    },
    {
      line: 'docker run --rm busybox sh -c "echo 1 >/proc/sys/kernel/core_uses_pid"',
      code: 1,
      err: 'Read-only file system',
    },
  ]));

test('docker run: shared namespaces', () =>
  docker.checkAll([
    { line: 'docker run -d --name base --ipc shareable -h base busybox sleep 1000 | wc -c', out: '65\n' },
    {
      line: 'docker run --rm --pid container:base busybox sh -c \'ps | grep -c "[s]leep 1000"\'',
      out: '1\n',
    },
    {
      line: 'docker exec base touch /dev/shm/seen; docker run --rm --ipc container:base busybox ls /dev/shm',
      out: 'seen\n',
    },
    { line: 'docker run --rm --net container:base busybox hostname', out: 'base\n' },
    {
      line: 'test "$(docker run --rm --net container:base busybox cat /sys/class/net/eth0/address)" = "$(docker inspect -f \'{{.NetworkSettings.MacAddress}}\' base)"',
    },
    {
      line: 'docker run --rm --net container:base -p 80:80 busybox true',
      code: 125,
      err: 'port publishing and the container type network mode',
    },
    { line: "docker run --rm --pid host busybox sh -c 'test $$ -ne 1'" },
    { line: "docker run --rm --ipc none busybox sh -c 'mount | grep -c /dev/shm'", code: 1, out: '0\n' },
    { line: 'docker run --rm --ipc private busybox ls /dev/shm', out: '' },
    { line: 'docker rm -f base', out: 'base\n' },
    { line: 'docker run --rm --pid container:base busybox true', code: 125, err: 'No such container: base' },
  ]));

test('docker run --net container: survives a rename', () =>
  docker.checkAll([
    { line: 'docker run -d --name one busybox sleep 1000 >/dev/null' },
    { line: 'docker create --name two --net container:one busybox true >/dev/null; docker rename one other' },
    {
      line: "test \"$(docker inspect -f '{{.HostConfig.NetworkMode}}' two)\" = container:$(docker inspect -f '{{.Id}}' other)",
    },
    { line: 'docker start two; docker wait two; docker rm -f two other', out: 'two\n0\ntwo\nother\n' },
  ]));

test('docker run --init: reaps and passes signals on', () =>
  docker.checkAll([
    { line: "docker run --rm --init busybox sh -c 'test $$ -ne 1; exit 4'", code: 4 },
    {
      line: 'docker run -d --name init --init busybox sleep 1000 >/dev/null; docker stop init; docker wait init',
      out: 'init\n143\n',
    },
    { line: 'docker rm init', out: 'init\n' },
  ]));
