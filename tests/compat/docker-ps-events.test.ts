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

test('docker ps: columns, filters, order', () =>
  docker.checkAll([
    {
      line: "docker run -d --name up --label a=b --label c busybox sleep 1000 >/dev/null; docker run --name done busybox sh -c 'exit 3'; docker create --name new -v v1:/d busybox echo 'a b' >/dev/null",
    },
    {
      line: "docker ps --format '{{.Names}} {{.Image}} {{.Command}} {{.State}} {{.Networks}} {{.Labels}}'",
      // The order of the labels is the client's: 20.10 has none.
      out: /^up busybox "sleep 1000" running bridge (a=b,c=|c=,a=b)\n$/,
    },
    {
      line: "docker ps -a --no-trunc --format '{{.Names}} {{.Command}} {{.State}}'",
      out: 'new "echo \'a b\'" created\ndone "sh -c \'exit 3\'" exited\nup "sleep 1000" running\n',
    },
    {
      line: "docker ps -a --format '{{.Status}}' | sed 's/[0-9]* second.*//;s/Less.*//'",
      out: 'Created\nExited (3) \nUp \n',
    },
    { line: 'docker ps -s --format {{.Size}}', out: /^0B \(virtual 1\.\d+MB\)\n$/ },
    { line: 'docker ps -aq | wc -l; docker ps -lq | wc -l; docker ps -n 2 -q | wc -l', out: '3\n1\n2\n' },
    {
      line: 'for f in status=exited exited=3 name=don name=^/done$; do docker ps -a --filter $f --format {{.Names}}; done',
      out: 'done\ndone\ndone\ndone\n',
    },
    {
      line: 'for f in label=a label=a=b label=c; do docker ps --filter $f --format {{.Names}}; done; docker ps -q --filter label=a=x',
      out: 'up\nup\nup\n',
    },
    {
      line: 'docker ps -a --filter before=new --format {{.Names}}; docker ps -a --filter since=up --format {{.Names}}',
      out: 'done\nup\nnew\ndone\n',
    },
    {
      line: 'docker ps -aq --filter ancestor=busybox | wc -l; docker ps -a --filter volume=v1 --format {{.Names}}; docker ps -aq --filter network=bridge | wc -l',
      out: '3\nnew\n3\n',
    },
    {
      line: "docker ps -a --filter id=$(docker inspect -f '{{.Id}}' done) --format {{.Names}}",
      out: 'done\n',
    },
    { line: 'docker ps --filter status=foo', code: 1, err: "invalid filter 'status=foo'" },
    { line: 'docker ps --filter foo=bar', code: 1, err: "invalid filter 'foo'" },
    { line: 'docker ps --filter before=nope', code: 1, err: 'No such container: nope' },
    { line: 'docker rm -f up done new >/dev/null; docker volume rm v1', out: 'v1\n' },
  ]));

test('docker events: what happens, with filters', () =>
  docker.checkAll([
    {
      line: 'date +%s.%N >since; docker run --rm --name c1 --label k=v busybox true; docker run --name c2 busybox sh -c "exit 4"; docker rename c2 c3; docker rm c3; docker volume create v1; docker volume rm v1; docker tag busybox e:1; docker rmi e:1; date +%s.%N >until',
      code: 0,
    },
    {
      line: "docker events --since $(cat since) --until $(cat until) --filter container=c1 --format '{{.Type}} {{.Action}}'",
      out: 'container create\ncontainer attach\ncontainer start\ncontainer die\ncontainer destroy\n',
    },
    {
      line: "docker events --since $(cat since) --until $(cat until) --filter event=die --format '{{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}} {{.Actor.Attributes.image}}'",
      out: 'c1 0 busybox\nc2 4 busybox\n',
    },
    {
      line: "docker events --since $(cat since) --until $(cat until) --filter label=k=v --filter event=start --format '{{.Actor.Attributes.k}}'",
      out: 'v\n',
    },
    {
      line: 'docker events --since 0 --until $(cat until) --filter container=c1 | wc -l; docker events --since $(cat since) --until $(cat until) --filter container=c1 | wc -l',
      out: /^(\d+)\n\1\n$/,
    },
    {
      line: "docker events --since $(cat since) --until $(cat until) --filter event=rename --format '{{.Actor.Attributes.oldName}} {{.Actor.Attributes.name}}'",
      out: '/c2 c3\n',
    },
    {
      line: "docker events --since $(cat since) --until $(cat until) --filter type=volume --format '{{.Action}} {{.Actor.ID}}'",
      out: 'create v1\ndestroy v1\n',
    },
    {
      line: "docker events --since $(cat since) --until $(cat until) --filter type=image --format '{{.Action}} {{.Actor.Attributes.name}}'",
      out: /^tag e:1\nuntag (e:1|sha256:[0-9a-f]{64})\n$/,
    },
    {
      line: "docker events --since $(cat since) --until $(cat until) --filter type=network --filter event=connect --format '{{.Actor.Attributes.name}} {{.Actor.Attributes.type}}'",
      out: 'bridge bridge\nbridge bridge\n',
    },
    {
      line: "(docker events --filter type=volume --format '{{.Action}}' >live & pid=$!; for i in $(seq 200); do docker volume create live >/dev/null; docker volume rm live >/dev/null; test -s live && break; sleep 0.05; done; kill $pid; head -1 live)",
      out: /^(create|destroy)\n$/,
    },
    { line: 'docker events --since abc --until 1', code: 1, err: /abc/ },
  ]));

test('docker events: signals, processes and restarts', () =>
  docker.checkAll([
    {
      line: 'date +%s.%N >since; docker run -d --name c1 busybox sleep 1000 >/dev/null; docker exec c1 true; docker exec c1 echo a b; docker top c1 >/dev/null; docker restart -t 0 c1; docker kill -s CONT c1; docker rm -f c1; date +%s.%N >until',
      out: 'a b\nc1\nc1\nc1\n',
    },
    {
      line: "docker events --since $(cat since) --until $(cat until) --filter container=c1 --format '{{.Action}} {{.Actor.Attributes.signal}}' | sed 's/<no value>//;s/ *$//' | grep -v exec_die",
      out: 'create\nstart\nexec_create: true\nexec_start: true\nexec_create: echo a b\nexec_start: echo a b\ntop\nkill 15\nkill 9\ndie\nstop\nstart\nrestart\nkill 18\nkill 9\ndie\ndestroy\n',
    },
    {
      line: "docker events --since $(cat since) --until $(cat until) --filter event=exec_die --format '{{.Actor.Attributes.exitCode}}'",
      out: '0\n0\n',
    },
  ]));

test('docker inspect: containers, and whatever has that name', () =>
  docker.checkAll([
    {
      line: 'docker create --name c1 -e A=b --label l=1 -p 80:80 --restart on-failure:3 busybox echo a >/dev/null',
    },
    {
      line: "docker inspect -f '{{.Name}} {{.Path}} {{.Args}} {{json .Config.Env}} {{json .Config.Labels}} {{json .HostConfig.PortBindings}} {{json .HostConfig.RestartPolicy}} {{.State.Status}} {{.Driver}} {{.Platform}}' c1",
      out: '/c1 echo [a] ["A=b"] {"l":"1"} {"80/tcp":[{"HostIp":"","HostPort":"80"}]} {"Name":"on-failure","MaximumRetryCount":3} created overlay2 linux\n',
    },
    { line: "docker inspect -s -f '{{.SizeRw}}' c1", out: '0\n' },
    {
      line: "docker inspect -f '{{.Id}}' $(docker inspect -f '{{.Id}}' c1 | cut -c1-8) | wc -c",
      out: '65\n',
    },
    { line: 'docker inspect c1 busybox | grep -c \'"Id"\'', out: '2\n' },
    { line: 'docker inspect nope', code: 1, out: '[]\n', err: /No such object: nope|no such object: nope/ },
    { line: 'docker rm c1', out: 'c1\n' },
  ]));

test('docker info, version, system df', () =>
  docker.checkAll([
    { line: "docker version -f '{{.Server.APIVersion}} {{.Server.Os}}'", out: '1.51 linux\n' },
    {
      line: "docker info -f '{{.Containers}} {{.Images}} {{.Driver}} {{.OSType}} {{.Swarm.LocalNodeState}}'",
      out: '0 1 overlay2 linux inactive\n',
    },
    { line: 'docker info', out: /Storage Driver: overlay2/ },
    {
      line: "docker system df --format '{{.Type}} {{.TotalCount}} {{.Active}}'",
      out: 'Images 1 0\nContainers 0 0\nLocal Volumes 0 0\nBuild Cache 0 0\n',
    },
    { line: 'docker system df -v', out: /busybox/ },
    {
      line: 'docker create --name c1 busybox true >/dev/null; docker volume create v1 >/dev/null; docker system prune -f --volumes | tail -1; docker ps -aq',
      out: /^Total reclaimed space: /,
    },
  ]));
