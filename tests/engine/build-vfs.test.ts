import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildToEnd } from '#tests/build-client.ts';
import { TestDaemon } from '#tests/daemon.ts';
import { leakCheck } from '#tests/leak-check.ts';

test('build: with the storage driver vfs steps, copies and mounts leave the same', async () => {
  await using daemon = await TestDaemon.start(['--storage-driver=vfs']);
  await daemon.loadBusybox();
  const prune = async (): Promise<void> => {
    assert.equal((await daemon.ask('POST', '/images/prune?filters={"dangling":["true"]}')).status, 200);
    assert.equal((await daemon.ask('POST', '/build/prune?all=true')).status, 200);
  };
  await buildToEnd(daemon, { Dockerfile: 'FROM busybox\nCOPY Dockerfile /\nRUN true' });
  await prune();
  await leakCheck(daemon, async () => {
    const lines = [
      'FROM busybox AS one',
      'WORKDIR /work',
      'COPY file .',
      'RUN --mount=type=tmpfs,target=/some/where/deep rm /bin/vi && echo made >/made && touch /some/where/deep/x',
      'FROM busybox',
      'COPY --from=one /made /work/file /out/',
      'RUN --mount=from=one,target=/one ls /one /one/some 2>&1 | tr "\\n" " "; ls /one/bin/vi 2>&1; cat /out/*',
    ];
    const said = await buildToEnd(daemon, { Dockerfile: lines.join('\n'), file: 'content\n' });
    assert.match(said, /ls: \/one\/some: No such file or directory/);
    assert.match(said, /ls: \/one\/bin\/vi: No such file or directory\ncontent\nmade\n/);
    assert.match(said, /Successfully built/);
    const again = await buildToEnd(daemon, { Dockerfile: lines.join('\n'), file: 'content\n' });
    assert.equal(again.match(/Using cache/g)?.length, 5);
    await prune();
  });
});

test('build: with the storage driver vfs a linked layer is put on other bases', async () => {
  await using daemon = await TestDaemon.start(['--storage-driver=vfs']);
  await daemon.loadBusybox();
  const build = (change: string): Promise<string> => {
    const lines = [
      'FROM busybox',
      `RUN ${change}`,
      'COPY --link file /way/',
      'RUN ls -dl /way | cut -c1; cat /way/*; ls /etc/file 2>&1 || true',
    ];
    return buildToEnd(daemon, { Dockerfile: lines.join('\n'), file: 'content\n' });
  };
  const missing = 'ls: /etc/file: No such file or directory';
  const first = await build('ln -s /etc /way');
  assert.ok(first.includes(`d\ncontent\n${missing}`), first);
  // The same file below: it is part of the layer all the same.
  const second = await build('mkdir /way; echo content >/way/file; echo old >/way/old');
  assert.ok(second.includes(`d\ncontent\nold\n${missing}`), second);
  assert.equal(second.match(/Using cache/g)?.length, 1);
  const third = await build('true');
  assert.ok(third.includes(`d\ncontent\n${missing}`), third);
});
