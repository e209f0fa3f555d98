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

const mounts = '{{range .Mounts}}{{.Type}} {{.Destination}} {{.RW}} {{.Propagation}}|{{end}}';

test('docker volume: create, list, inspect, remove', () =>
  docker.checkAll([
    { line: 'docker volume create --label a=b v1; docker volume create v1', out: 'v1\nv1\n' },
    { line: 'docker volume create | wc -c', out: '65\n' },
    {
      line: "docker volume create 'a b'",
      code: 1,
      err: 'includes invalid characters for a local volume name',
    },
    { line: 'docker volume create -d foo v2', code: 1, err: 'plugin "foo" not found' },
    { line: 'docker volume create -o foo=bar v2', code: 1, err: 'invalid option: "foo"' },
    {
      line: "docker volume inspect -f '{{.Name}} {{.Driver}} {{.Scope}} {{json .Labels}}' v1",
      out: 'v1 local local {"a":"b"}\n',
    },
    {
      line: 'docker volume ls -q --filter name=v1; docker volume ls -q --filter label=a=b; docker volume ls -q --filter label=a=c',
      out: 'v1\nv1\n',
    },
    {
      line: 'docker volume ls -q --filter dangling=true | wc -l; docker volume ls -q --filter dangling=false',
      out: '2\n',
    },
    { line: 'docker volume ls --filter foo=bar', code: 1, err: "invalid filter 'foo'" },
    { line: 'docker volume inspect nope', code: 1, err: /no such volume/i },
    { line: 'docker volume rm nope', code: 1, err: /no such volume/i },
    { line: 'docker volume rm -f nope', out: /^(nope\n)?$/ },
    { line: 'docker volume rm v1', out: 'v1\n' },
    { line: 'docker volume prune -f | tail -1', out: /^Total reclaimed space: / },
  ]));

test('docker volume: one in use stays', () =>
  docker.checkAll([
    {
      line: 'docker create --name c1 -v v1:/d busybox true >/dev/null; docker volume rm v1',
      code: 1,
      err: /remove v1: volume is in use - \[[0-9a-f]{64}\]/,
    },
    {
      line: 'docker volume prune -f >/dev/null; docker volume ls -q; docker rm -v c1; docker volume ls -q',
      out: 'v1\nc1\nv1\n',
    },
    { line: 'docker volume rm v1', out: 'v1\n' },
    {
      line: 'docker create --name c1 -v /anon busybox true >/dev/null; docker volume ls -q | wc -l; docker rm -v c1; docker volume ls -q',
      out: '1\nc1\n',
    },
    { line: 'docker run --rm -v /anon busybox true; docker volume ls -q', out: '' },
  ]));

test('docker run -v: volumes keep their data and get the image’s', () =>
  docker.checkAll([
    {
      line: 'docker run --rm -v v1:/d busybox sh -c "echo a >/d/f"; docker run --rm -v v1:/e:ro busybox cat /e/f',
      out: 'a\n',
    },
    { line: 'docker run --rm -v v1:/e:ro busybox touch /e/x', code: 1, err: 'Read-only file system' },
    {
      line: 'docker run --rm -v v2:/etc busybox cat /etc/passwd | head -1; docker run --rm -v v2:/x busybox ls /x',
      out: 'root:x:0:0:root:/root:/bin/sh\ngroup\nhostname\nhosts\npasswd\nresolv.conf\n',
    },
    { line: 'docker run --rm -v v3:/etc:nocopy busybox ls /etc/passwd', code: 1, err: 'No such file' },
    {
      line: 'docker volume create -o type=tmpfs -o device=tmpfs -o o=size=1m v4; docker run --rm -v v4:/d busybox df -k /d | tail -1',
      out: /^v4\ntmpfs +1024 /,
    },
    { line: 'docker volume rm v1 v2 v3 v4', out: 'v1\nv2\nv3\nv4\n' },
  ]));

test('docker run -v, --mount: binds', () =>
  docker.checkAll([
    { line: 'mkdir src; echo hi >src/f; docker run --rm -v $PWD/src:/d busybox cat /d/f', out: 'hi\n' },
    { line: 'docker run --rm -v $PWD/src:/d:ro busybox touch /d/x', code: 1, err: 'Read-only file system' },
    { line: 'docker run --rm -v $PWD/src/f:/etc/f busybox cat /etc/f', out: 'hi\n' },
    { line: 'docker run --rm -v $PWD/new/dir:/d busybox true; ls -d new/dir', out: 'new/dir\n' },
    {
      line: 'docker run --rm --mount type=bind,src=$PWD/nope,dst=/d busybox true',
      code: 125,
      err: 'bind source path does not exist',
    },
    { line: 'docker run --rm --mount type=bind,src=$PWD/src,dst=/d,readonly busybox cat /d/f', out: 'hi\n' },
    {
      line: `docker create --name c1 -v $PWD/src:/a:rprivate --mount type=bind,src=$PWD/src,dst=/b,ro --tmpfs /t --mount type=tmpfs,dst=/u -v v1:/c busybox true >/dev/null; docker inspect -f '${mounts}' c1 | tr '|' '\\n' | sort | grep .`,
      out: 'bind /a true rprivate\nbind /b false rprivate\ntmpfs /u true \nvolume /c true \n',
    },
    { line: 'docker run --rm --volumes-from c1 busybox cat /a/f', out: 'hi\n' },
    {
      line: 'docker run --rm --volumes-from c1:ro busybox touch /a/x',
      code: 1,
      err: 'Read-only file system',
    },
    { line: 'docker run --rm --volumes-from nope busybox true', code: 125, err: 'No such container: nope' },
    { line: 'docker run --rm --volumes-from nope:bar busybox true', code: 125, err: 'invalid mode: bar' },
    { line: 'docker run --rm --volumes-from c1:nocopy busybox true', code: 125, err: 'invalid mode: nocopy' },
    { line: 'docker run --name c2 -v /tmp:/t:ro busybox true' },
    {
      line: 'docker run --rm --volumes-from c2:rw busybox touch /t/x',
      code: 1,
      err: 'touch: /t/x: Read-only file system\n',
    },
    { line: 'docker rm c2' },
    {
      line: 'docker run --rm -v some:/a:shared busybox true',
      code: 125,
      err: 'invalid mount config for type "volume": field BindOptions must not be specified',
    },
    {
      line: 'docker run --rm -v /tmp:/a:nocopy busybox true',
      code: 125,
      err: 'invalid mount config for type "bind": field VolumeOptions must not be specified',
    },
    { line: 'docker rm c1; docker volume rm v1', out: 'c1\nv1\n' },
  ]));

test('docker run -v: bad specifications', () =>
  docker.checkAll([
    { line: 'docker run --rm -v foo:bar:baz:x busybox true', code: 125, err: /invalid/ },
    { line: 'docker run --rm -v /a:/ busybox true', code: 125, err: "destination can't be '/'" },
    {
      line: 'docker run --rm -v /tmp:/b:zz busybox true',
      code: 125,
      err: /invalid (mode|volume specification)|unknown/i,
    },
    {
      line: 'docker run --rm -v /tmp:/b -v /etc:/b busybox true',
      code: 125,
      err: 'Duplicate mount point: /b',
    },
    {
      line: 'docker run --rm --mount type=bind,dst=/x busybox true',
      code: 125,
      err: 'field Source must not be empty',
    },
    {
      line: 'docker run --rm --mount type=foo,dst=/x busybox true',
      code: 125,
      err: /mount type unknown|invalid/,
    },
    {
      line: 'docker run --rm --tmpfs x busybox true',
      code: 125,
      err: "invalid mount path: 'x' mount path must be absolute",
    },
    { line: 'docker run --rm --tmpfs /x:foo=bar busybox true', code: 125, err: 'foo' },
    { line: 'docker ps -aq | xargs -r docker rm -v >/dev/null; docker volume prune -f >/dev/null', out: '' },
  ]));

test('docker run -v: propagation', () =>
  docker.checkAll([
    {
      line: 'mkdir -p prop/inner; docker run --rm -v $PWD/prop:/p:rslave busybox true',
      code: 125,
      err: 'is mounted on / but it is not a shared or slave mount',
    },
    {
      line: 'docker run --rm -v $PWD/prop:/p:shared busybox true',
      code: 125,
      err: 'but it is not a shared mount',
    },
  ]));
