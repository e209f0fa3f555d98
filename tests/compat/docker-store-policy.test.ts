import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import { DockerCli } from '#tests/docker-cli.ts';
import { startRegistry } from '#tests/registry-server.ts';

/** What `docker system df` says of images: kilobytes. */
async function imageSize(docker: DockerCli): Promise<number> {
  const size = await docker.ok(
    `docker system df --format '{{if eq .Type "Images"}}{{.Size}}{{end}}' | grep .`,
  );
  const match = /^([\d.]+)(kB|MB)$/.exec(size);
  assert.ok(match !== null, size);
  return Number(match[1]) * (match[2] === 'MB' ? 1000 : 1);
}

test('image-store-policy unpacked: images run, are saved, pushed and pulled, at less of the disk, which system df shows', async () => {
  await using registry = await startRegistry();
  await using bare = await TestDaemon.start(['--image-store-policy=unpacked']);
  await using full = await TestDaemon.start(['--image-store-policy=compressed']);
  const [here, there] = [new DockerCli(bare), new DockerCli(full)];
  for (const daemon of [bare, full]) await daemon.loadBusybox();
  const name = `${registry.host}/team/busybox:1`;
  assert.equal(await here.ok('docker run --rm busybox echo ran'), 'ran');
  const id = await here.ok('docker images -q --no-trunc busybox');
  // Saved twice it is the same, and is the same image elsewhere.
  await here.ok(`docker save -o one.tar busybox; docker save -o two.tar busybox; cmp one.tar two.tar`);
  await there.ok(`docker rmi -f busybox >/dev/null; docker load -q -i ${here.dir}/one.tar >/dev/null`);
  assert.equal(await there.ok('docker images -q --no-trunc busybox'), id);
  // Pushed from here, pulled there, and the other way round.
  await here.ok(`docker tag busybox ${name}; docker push -q ${name} >/dev/null`);
  await there.ok(`docker rmi -f busybox >/dev/null; docker pull -q ${name} >/dev/null`);
  assert.equal(await there.ok(`docker run --rm ${name} echo ran`), 'ran');
  await here.ok(
    `docker rmi -f ${name} busybox >/dev/null; docker pull -q ${name} >/dev/null; docker tag ${name} busybox`,
  );
  assert.equal(await here.ok('docker images -q --no-trunc busybox'), id);
  assert.equal(await here.ok('docker run --rm busybox echo ran'), 'ran');
  const [less, more] = [await imageSize(here), await imageSize(there)];
  assert.ok(less < more * 0.9, `${less} kB and ${more} kB`);
  const unpacked = Number(await here.ok("docker image inspect -f '{{.Size}}' busybox"));
  assert.ok(less * 1000 > unpacked, `${less} kB for ${unpacked} bytes`);
});
