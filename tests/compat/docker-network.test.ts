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

test('docker run -p: forms of published ports', () =>
  docker.checkAll([
    {
      line: 'docker run -d --name c1 -p 80 -p 127.0.0.1:18081:81 -p 18082:82/udp -p 18090-18091:90-91 busybox sleep 1000 >/dev/null; docker port c1 80/tcp | head -1',
      out: /^0\.0\.0\.0:\d+\n$/,
    },
    {
      line: 'docker port c1 81; docker port c1 82/udp | head -1; docker port c1 90 | head -1; docker port c1 91 | head -1',
      out: '127.0.0.1:18081\n0.0.0.0:18082\n0.0.0.0:18090\n0.0.0.0:18091\n',
    },
    {
      line: "docker ps --format '{{.Ports}}'",
      out: /127\.0\.0\.1:18081->81\/tcp.*0\.0\.0\.0:18082->82\/udp/,
    },
    {
      line: 'docker ps -q --filter publish=18081 | wc -l; docker ps -q --filter publish=18099 | wc -l; docker ps -q --filter expose=81/tcp | wc -l',
      out: '1\n0\n1\n',
    },
    { line: 'docker run --rm -p 18081:80 busybox true', code: 125, err: /18081.*(already allocated|in use)/ },
    { line: 'docker rm -f c1; docker run --rm -p 18081:80 busybox true', out: 'c1\n' },
    {
      line: 'docker run -d --name c1 --expose 80 --expose 81/udp -P busybox sleep 1000 >/dev/null; docker port c1 | cut -d" " -f1 | sort -u; docker rm -f c1',
      out: '80/tcp\n81/udp\nc1\n',
    },
    {
      line: 'docker run -d --name c1 -p 18100-18110:80 busybox sleep 1000 >/dev/null; docker port c1 80 | head -1; docker rm -f c1',
      out: '0.0.0.0:18100\nc1\n',
    },
  ]));

test('docker run -p: bad ports', () =>
  docker.checkAll([
    {
      line: 'docker run --rm -p abc busybox true',
      code: 125,
      err: /[Ii]nvalid (containerPort|port|hostPort|start-port)/,
    },
    { line: 'docker run --rm -p 80:80:80:80 busybox true', code: 125, err: /[Ii]nvalid/ },
    { line: 'docker run --rm -p 8000-8001:80-83 busybox true', code: 125, err: /[Ii]nvalid ranges/ },
    { line: 'docker run --rm -p 70000:80 busybox true', code: 125, err: /[Ii]nvalid (hostPort|port)/ },
    {
      line: 'docker run --rm -p 1.2.3.4:18080:80 busybox true',
      code: 125,
      err: /cannot assign requested address/,
    },
    { line: 'docker ps -aq', out: '' },
  ]));

test('published ports carry traffic', () =>
  docker.checkAll([
    {
      line: "docker run -d --name web -p 127.0.0.1:18080:80 busybox sh -c 'echo hello >/tmp/index.html; exec httpd -f -p 80 -h /tmp' >/dev/null; for i in $(seq 100); do busybox wget -q -O - http://127.0.0.1:18080/ && break; sleep 0.1; done",
      out: 'hello\n',
    },
    {
      line: "docker run --rm busybox wget -q -O - http://$(docker inspect -f '{{.NetworkSettings.IPAddress}}' web)/",
      out: 'hello\n',
    },
    { line: 'docker run --rm --net container:web busybox wget -q -O - http://127.0.0.1/', out: 'hello\n' },
    { line: 'docker run --rm --net host busybox wget -q -O - http://127.0.0.1:18080/', out: 'hello\n' },
    { line: 'docker rm -f web', out: 'web\n' },
  ]));

test('docker run --net: modes', () =>
  docker.checkAll([
    { line: 'docker run --rm --net none busybox ls /sys/class/net', out: 'lo\n' },
    { line: 'docker run --rm busybox ls /sys/class/net', out: 'eth0\nlo\n' },
    {
      line: "docker run --rm busybox ip route | sed 's/ src.*//;s/ *$//'",
      out: 'default via 172.17.0.1 dev eth0\n172.17.0.0/16 dev eth0 scope link\n',
    },
    {
      line: 'docker run --rm --mac-address 02:42:ac:11:00:99 busybox cat /sys/class/net/eth0/address',
      out: '02:42:ac:11:00:99\n',
    },
    {
      line: 'docker run --rm --mac-address foo busybox true',
      code: 125,
      err: /foo.*(not a valid mac|invalid MAC)/i,
    },
  ]));

test('docker network ls, inspect', () =>
  docker.checkAll([
    {
      line: "docker network ls --format '{{.Name}} {{.Driver}} {{.Scope}}' | sort",
      out: 'bridge bridge local\nhost host local\nnone null local\n',
    },
    {
      line: 'docker network ls -q --filter driver=bridge | wc -l; docker network ls --filter name=ost --format {{.Name}}',
      out: '1\nhost\n',
    },
    { line: 'docker network ls --filter foo=bar', code: 1, err: "invalid filter 'foo'" },
    {
      line: "docker network inspect -f '{{.Driver}} {{(index .IPAM.Config 0).Subnet}} {{(index .IPAM.Config 0).Gateway}}' bridge",
      out: 'bridge 172.17.0.0/16 172.17.0.1\n',
    },
    {
      line: "docker run -d --name c1 busybox sleep 1000 >/dev/null; docker network inspect -f '{{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}}' bridge; docker rm -f c1",
      out: /^c1 172\.17\.\d+\.\d+\/16\nc1\n$/,
    },
    { line: 'docker network inspect nope', code: 1, err: /network nope not found|No such network: nope/ },
    {
      line: 'docker network rm bridge',
      code: 1,
      err: 'bridge is a pre-defined network and cannot be removed',
    },
  ]));
