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

test('docker tag, images, rmi', () =>
  docker.checkAll([
    { line: "docker images --format '{{.Repository}}:{{.Tag}}'", out: 'busybox:latest\n' },
    {
      line: 'docker tag busybox me/bb:1; docker tag busybox:latest other; docker images -q | sort -u | wc -l',
      out: '1\n',
    },
    {
      line: "docker images --format '{{.Repository}}:{{.Tag}}' me/bb; docker images -q 'nope'",
      out: 'me/bb:1\n',
    },
    { line: "docker images --filter reference='oth*' --format {{.Repository}}", out: 'other\n' },
    {
      line: 'docker images --filter dangling=true -q; docker images --filter foo=bar',
      code: 1,
      err: "invalid filter 'foo'",
    },
    { line: 'docker images --filter before=nope', code: 1, err: /No such image: nope/ },
    { line: 'docker tag nope x', code: 1, err: 'No such image: nope:latest' },
    { line: 'docker tag busybox UPPER', code: 1, err: /repository name must be lowercase|invalid reference/ },
    { line: 'docker rmi me/bb:1 other', out: 'Untagged: me/bb:1\nUntagged: other:latest\n' },
    { line: 'docker rmi nope', code: 1, err: 'No such image: nope' },
    { line: 'docker inspect --type image nope', code: 1, err: /No such image: nope/ },
    {
      line: "docker image inspect -f '{{json .Config.Cmd}} {{.Os}} {{json .RepoTags}} {{.RootFS.Type}} {{len .RootFS.Layers}}' busybox",
      out: '["sh"] linux ["busybox:latest"] layers 1\n',
    },
    { line: "docker history --format '{{.Comment}}' busybox", out: 'Imported from -\n' },
    { line: 'docker history nope', code: 1, err: 'No such image: nope' },
  ]));

test('docker rmi: not what a container uses', () =>
  docker.checkAll([
    { line: 'docker create --name c1 busybox true >/dev/null' },
    {
      line: 'docker rmi busybox',
      code: 1,
      err: /conflict: unable to (remove repository reference "busybox" \(must force\)|delete) .*container [0-9a-f]{12} is using its referenced image [0-9a-f]{12}/,
    },
    {
      line: 'docker rmi $(docker images -q busybox)',
      code: 1,
      err: /conflict: unable to delete [0-9a-f]{12} \(must be forced\) - image is being used by stopped container [0-9a-f]{12}/,
    },
    {
      line: 'docker tag busybox keep; docker rmi busybox; docker tag keep busybox; docker rmi keep',
      out: 'Untagged: busybox:latest\nUntagged: keep:latest\n',
    },
    { line: 'docker start c1; docker wait c1; docker rm c1', out: 'c1\n0\nc1\n' },
  ]));

test('docker save, load', () =>
  docker.checkAll([
    {
      line: 'docker tag busybox a:1; docker tag busybox b:2; docker save -o two.tar a:1 b:2; docker rmi a:1 b:2 >/dev/null; docker load -i two.tar',
      out: 'Loaded image: a:1\nLoaded image: b:2\n',
    },
    { line: 'docker run --rm a:1 echo hi', out: 'hi\n' },
    {
      line: 'docker save a:1 | gzip >a.tgz; docker rmi a:1 b:2 >/dev/null; docker load -q <a.tgz',
      out: 'Loaded image: a:1\n',
    },
    {
      line: 'docker save $(docker images -q --no-trunc a:1) | docker load',
      out: /^Loaded image ID: sha256:[0-9a-f]{64}\n$/,
    },
    { line: 'docker rmi a:1', out: 'Untagged: a:1\n' },
    { line: 'docker save nope', code: 1, err: /No such image: nope|cowardly refusing/ },
    { line: 'docker save nope >x.tar', code: 1, err: 'No such image: nope' },
    { line: 'echo garbage | docker load', code: 1, err: /archive|EOF/ },
    { line: 'head -c 5000 two.tar | docker load', code: 1 },
    { line: 'tar cf empty.tar -T /dev/null; docker load -i empty.tar', code: 1, err: 'manifest.json' },
    { line: 'docker images -q | wc -l', out: '1\n' },
  ]));

test('docker import: with changes and a message', () =>
  docker.checkAll([
    {
      line: 'mkdir root; echo hi >root/f; tar cC root f >root.tar; docker import -c "ENV A=b" -c "EXPOSE 80" -c \'CMD ["/f"]\' -m "my words" root.tar made:1 | cut -c1-7',
      out: 'sha256:\n',
    },
    {
      line: "docker inspect -f '{{json .Config.Env}} {{json .Config.ExposedPorts}} {{json .Config.Cmd}} {{.Comment}}' made:1",
      out: '["A=b"] {"80/tcp":{}} ["/f"] my words\n',
    },
    { line: 'docker import - made:2 <root.tar | wc -c', out: '72\n' },
    { line: 'docker run --rm made:2', code: 125, err: /no command specified/i },
    { line: 'docker import -c "FOO bar" root.tar', code: 1, err: /FOO/i },
    { line: 'echo garbage | docker import - x', code: 1, err: /archive|EOF/ },
    { line: 'docker rmi made:1 made:2 | grep -c Deleted', out: '3\n' },
  ]));

test('docker image prune', () =>
  docker.checkAll([
    {
      line: 'docker import root.tar >/dev/null; docker images --filter dangling=true -q | wc -l',
      out: '1\n',
    },
    {
      line: 'docker image prune -f | grep -c "^deleted: sha256:"; docker images --filter dangling=true -q',
      out: '2\n',
    },
    {
      line: 'docker tag busybox unused; docker image prune -f | tail -1; docker images -q unused | wc -l',
      out: 'Total reclaimed space: 0B\n1\n',
    },
    {
      line: 'docker create --name c1 busybox true >/dev/null; docker rmi unused >/dev/null; docker import root.tar unused >/dev/null; docker image prune -af | grep -c untagged; docker images --format {{.Repository}}; docker rm c1',
      out: '1\nbusybox\nc1\n',
    },
    { line: 'docker image prune -f --filter foo=bar', code: 1, err: "invalid filter 'foo'" },
  ]));

test('what is not implemented says so', () =>
  docker.checkAll([
    {
      line: 'docker create --name c1 busybox true >/dev/null; docker commit c1',
      code: 1,
      err: 'not implemented',
    },
    { line: 'docker export c1 >/dev/null', code: 1, err: 'not implemented' },
    { line: 'docker cp c1:/etc/passwd -', code: 1, err: 'not implemented' },
    { line: 'docker rm c1', out: 'c1\n' },
    { line: 'docker swarm init', code: 1, err: 'not implemented' },
    { line: 'docker plugin install x --grant-all-permissions', code: 1, err: 'not implemented' },
  ]));
