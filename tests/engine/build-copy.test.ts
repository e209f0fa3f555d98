import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, symlinkSync, utimesSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { DockerfileError } from '#/dockerfile/errors.ts';
import { BuildBox } from '#tests/builds.ts';

const box = await BuildBox.open();
after(() => box[Symbol.asyncDispose]());
const context = join(box.dir, 'context');

/** The output of a build's last step. */
async function output(...lines: readonly string[]): Promise<string> {
  return (await box.build(lines.join('\n'))).log;
}

test('COPY: files, directories, patterns, here-documents, owners and permissions', async () => {
  box.files({ 'a.txt': 'a', 'd/b': 'b', 'd/sub/c': 'c', 'x1.go': '1', 'x2.go': '2' });
  const show = "RUN cd / && find /out | sort | xargs stat -c '%n %u:%g %a'";
  assert.equal(
    await output(
      'FROM busybox',
      'WORKDIR /out/in',
      'COPY a.txt .',
      'COPY d ../d',
      'COPY --chmod=600 x?.go /out/go/',
      show,
    ),
    [
      '/out 0:0 755',
      '/out/d 0:0 755',
      '/out/d/b 0:0 644',
      '/out/d/sub 0:0 755',
      '/out/d/sub/c 0:0 644',
      '/out/go 0:0 755',
      '/out/go/x1.go 0:0 600',
      '/out/go/x2.go 0:0 600',
      '/out/in 0:0 755',
      '/out/in/a.txt 0:0 644',
      '',
    ].join('\n'),
  );
  assert.equal(
    await output(
      'FROM busybox',
      'ENV NAME=you',
      'COPY --chown=alice:wheel <<EOF <<"RAW" /out/',
      'hello $NAME',
      'EOF',
      'raw $NAME',
      'RAW',
      "RUN cat /out/EOF /out/RAW; stat -c '%u:%g' /out/EOF",
    ),
    'hello you\nraw $NAME\n1000:10\n',
  );
  assert.equal(await output('FROM busybox', 'COPY --exclude=sub d /out/', 'RUN ls /out'), 'b\n');
  assert.equal(
    await output('FROM busybox', 'COPY *.nothing /out/', 'RUN ls -d /out || true'),
    'ls: /out: No such file or directory\n',
  );
});

test('COPY --from: stages, images and named contexts', async () => {
  const lines = [
    'FROM busybox AS one',
    'RUN mkdir /made && echo made >/made/file && ln -s /etc /made/link',
    'FROM scratch AS two',
    'COPY --from=one /made /',
    'FROM busybox',
    'COPY --from=two / /two/',
    'COPY --from=0 /made/file /zero',
    'COPY --from=busybox /etc/group /group',
    'RUN ls /two; cat /zero; head -1 /group; readlink /two/link',
  ];
  assert.equal(await output(...lines), 'file\nlink\nmade\nroot:x:0:\n/etc\n');
});

test('COPY: the cache looks at content, not at times', async () => {
  box.files({ 'c/file': 'one' });
  const dockerfile = 'FROM busybox\nCOPY c /c\nRUN cat /c/file';
  const first = await box.build(dockerfile);
  utimesSync(join(context, 'c/file'), 1, 1);
  const again = await box.build(dockerfile);
  assert.equal(again.result.image, first.result.image);
  assert.equal(again.log, '');
  box.files({ 'c/file': 'two' });
  const changed = await box.build(dockerfile, { explain: true });
  assert.equal(changed.log, 'two');
  const [why = '', ...files] = changed.vertices.get('[2/3] COPY c /c')?.explanation ?? [];
  assert.match(why, /^changed: sources\[0\]\.content: "sha256:/);
  assert.deepEqual(files, ['new or changed: /c/file']);
});

test('COPY: what is missing or leads out is refused with its place', async () => {
  box.files({ 'real/file': 'x' });
  symlinkSync('/etc/passwd', join(context, 'real/out'));
  symlinkSync('../../../../../etc', join(context, 'real/etc'));
  const cases = ['COPY nothing /', 'COPY real/out /x', 'COPY ../../etc/passwd /x', 'COPY real/etc/passwd /x'];
  for (const line of cases) {
    await assert.rejects(box.build(`FROM busybox\n${line}`), (error) => {
      assert.ok(error instanceof DockerfileError, `${line}: ${String(error)}`);
      assert.match(error.message, /not found/);
      assert.match(error.excerpt, />>> COPY/);
      const hint = line.includes('..')
        ? /^No path leads out of a context/
        : /^Look whether it is in the context/;
      assert.match(error.hint ?? '', hint);
      return true;
    });
  }
  // What a stage has put in the way leads nowhere else.
  const lines = [
    'FROM busybox',
    'RUN ln -s ../../../../../../tmp /way',
    'COPY real/file /way/',
    'RUN cat /tmp/file',
  ];
  assert.equal(await output(...lines), 'x');
  assert.ok(!readdirSync('/tmp').includes('file'));
});

test('COPY --link: what is below has no say', async () => {
  box.files({ 'l/file': 'linked' });
  const lines = ['FROM busybox', 'RUN ln -s /etc /way; mkdir /kept; touch /kept/old'];
  const show = 'RUN ls /way /kept; cat /way/file; ls -d /etc/file 2>&1';
  assert.equal(
    await output(...lines, 'COPY l/file /way/', 'COPY l/file /kept/', 'RUN ls /kept; cat /etc/file'),
    'file\nold\nlinked',
  );
  assert.equal(
    await output(
      ...lines,
      'COPY --link l/file /way/',
      'COPY --link --chown=alice l/file /kept/',
      `${show} || true`,
    ),
    '/kept:\nfile\nold\n\n/way:\nfile\nlinkedls: /etc/file: No such file or directory\n',
  );
});

test('ADD: archives are unpacked, other files are not', async () => {
  box.files({ 'tar/in/a': 'a', 'tar/b': 'b', 'plain.gz': 'no archive' });
  execFileSync('tar', ['-czf', join(context, 'x.tgz'), '-C', join(context, 'tar'), '.']);
  execFileSync('tar', ['-cf', join(context, 'x.tar'), '-C', join(context, 'tar'), '.']);
  execFileSync('sh', ['-c', `echo text | gzip >${join(context, 'text.gz')}`]);
  const lines = [
    'FROM busybox',
    'ADD x.tgz x.tar /out/',
    'ADD x.tgz /file',
    'ADD text.gz plain.gz /other/',
    'ADD --unpack=false x.tar /raw/',
    'RUN find /out /file /other /raw -type f | sort',
  ];
  assert.equal(
    await output(...lines),
    '/file/b\n/file/in/a\n/other/plain.gz\n/other/text.gz\n/out/b\n/out/in/a\n/raw/x.tar\n',
  );
});

test('ADD: files from the web, checked and cached by content', async () => {
  let body = 'served';
  let requests = 0;
  await using server = createServer((_request, response) => {
    requests += 1;
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/dir/name.txt`;
  const dockerfile = `FROM busybox\nADD ${url} /got/\nRUN cat /got/name.txt; stat -c ' %a' /got/name.txt`;
  assert.equal((await box.build(dockerfile)).log, 'served 600\n');
  assert.equal((await box.build(dockerfile)).log, '');
  body = 'other';
  assert.equal((await box.build(dockerfile)).log, 'other 600\n');
  assert.equal(requests, 3);
  await assert.rejects(
    box.build(`FROM busybox\nADD --checksum=sha256:${'0'.repeat(64)} ${url} /x`),
    /sha256/,
  );
});

test('WORKDIR makes directories, FROM scratch has nothing else', async () => {
  const built = await box.build('FROM scratch\nWORKDIR /a/b\nCOPY a.txt .', { name: 'small' });
  const image = box.engine.backend.images.inspect('small', undefined);
  assert.equal(image.RootFS.Layers?.length, 2);
  assert.equal(image.Config?.WorkingDir, '/a/b');
  assert.deepEqual(
    [...built.vertices.keys()].filter((name) => name.startsWith('[1')),
    ['[1/2] WORKDIR /a/b'],
  );
  assert.deepEqual(readdirSync(join(box.dir, 'data/builder/scratch')), []);
});

test('a stage can begin with a named context', async () => {
  box.files({ 'named/etc/x': 'from context' });
  const { directoryContext } = await import('#tests/builds.ts');
  const namedContexts = new Map([
    ['tree', { kind: 'tree' as const, context: directoryContext(join(context, 'named'), 'tree') }],
    ['alpine', { kind: 'image' as const, reference: 'busybox' }],
  ]);
  const dockerfile = [
    'FROM tree AS t',
    'FROM alpine:latest',
    'COPY --from=t /etc/x /1',
    'COPY --from=tree etc/x /2',
    'RUN cat /1 /2',
  ].join('\n');
  assert.equal((await box.build(dockerfile, { namedContexts })).log, 'from contextfrom context');
});
