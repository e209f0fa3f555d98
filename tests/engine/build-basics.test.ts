import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { StepError } from '#/builder/step-error.ts';
import { DockerfileError } from '#/dockerfile/errors.ts';
import { BuildBox, type Built } from '#tests/builds.ts';

const box = await BuildBox.open();
after(() => box[Symbol.asyncDispose]());

/** Names of the vertices that the cache had. */
function cachedOf({ vertices }: Built): string[] {
  return [...vertices.values()].filter(({ cached }) => cached).map(({ name }) => name);
}

test('build: steps make layers, and the image is in the store', async () => {
  const built = await box.build(
    ['FROM busybox', 'ENV A=b', 'RUN echo hello $A >/made', 'RUN cat /made', 'CMD ["cat", "/made"]'].join(
      '\n',
    ),
    { name: 'first' },
  );
  assert.equal(built.log, 'hello b\n');
  const image = box.engine.backend.images.inspect('first', undefined);
  assert.equal(image.Id, built.result.image);
  assert.equal(image.RootFS.Layers?.length, 3);
  assert.deepEqual(image.Config?.Cmd, ['cat', '/made']);
  assert.deepEqual(image.Config?.Env, [
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'A=b',
  ]);
  const history = box.engine.backend.images.history('first', undefined);
  assert.deepEqual(history.map(({ CreatedBy }) => CreatedBy).slice(0, -1), [
    'CMD ["cat" "/made"]',
    'RUN /bin/sh -c cat /made # buildkit',
    'RUN /bin/sh -c echo hello $A >/made # buildkit',
    'ENV A=b',
  ]);
});

test('build: what did not change is not done again and gives the same image', async () => {
  const dockerfile = ['FROM busybox', 'ARG V=1', 'RUN echo run $V', 'RUN echo end'].join('\n');
  const first = await box.build(dockerfile);
  assert.equal(first.log, 'run 1\nend\n');
  const again = await box.build(dockerfile);
  assert.equal(again.log, '');
  assert.equal(again.result.image, first.result.image);
  assert.deepEqual(cachedOf(again), ['[2/3] RUN echo run 1', '[3/3] RUN echo end']);
  const other = await box.build(dockerfile, { args: new Map([['V', '2']]), explain: true });
  assert.equal(other.log, 'run 2\nend\n');
  assert.deepEqual(other.vertices.get('[2/3] RUN echo run 2')?.explanation, [
    'changed: environment.V: "1" -> "2"',
  ]);
  const anew = await box.build(dockerfile, { noCache: true });
  assert.equal(anew.log, 'run 1\nend\n');
});

test('build: a failing process ends the build with its place, and nothing is left', async () => {
  const before = readdirSync(join(box.dir, 'data/snapshots/overlay2'));
  await assert.rejects(box.build('FROM busybox\n\nRUN echo before; exit 7\nRUN true'), (error) => {
    assert.ok(error instanceof DockerfileError);
    assert.ok(error.cause instanceof StepError);
    assert.equal(error.cause.exitCode, 7);
    assert.equal(
      error.message,
      'process "/bin/sh -c echo before; exit 7" did not complete successfully: exit code: 7',
    );
    assert.match(error.excerpt, /Dockerfile:3\n[\s\S]*>>> RUN echo before/);
    return true;
  });
  assert.deepEqual(readdirSync(join(box.dir, 'run/builds')), []);
  assert.deepEqual(readdirSync(join(box.dir, 'data/snapshots/overlay2')), before);
});

test('build: stages that the target does not need are not built; independent ones run at the same time', async () => {
  const wait = (own: string, other: string): string =>
    `RUN --mount=type=cache,target=/c touch /c/${own}; for i in $(seq 200); do [ -e /c/${other} ] && exit 0; sleep 0.05; done; exit 1`;
  const dockerfile = [
    'FROM busybox AS unused',
    'RUN exit 1',
    'FROM busybox AS one',
    wait('one', 'two'),
    'FROM busybox AS two',
    wait('two', 'one'),
    'FROM busybox AS last',
    'RUN --mount=from=one,target=/one --mount=from=two,target=/two ls -d /one/bin /two/bin',
    'FROM last AS later',
    'RUN exit 1',
  ].join('\n');
  const built = await box.build(dockerfile, { target: 'LAST' });
  assert.equal(built.log, '/one/bin\n/two/bin\n');
  await assert.rejects(
    box.build(dockerfile, { target: 'nowhere' }),
    /target stage "nowhere" could not be found/,
  );
});

test('build: the same step of two builds at the same time runs once', async () => {
  const dockerfile = 'FROM busybox\nRUN echo once; sleep 0.5; cat /proc/sys/kernel/random/uuid >/id';
  const [a, b] = await Promise.all([box.build(dockerfile), box.build(dockerfile)]);
  assert.equal(a.result.image, b.result.image);
});

test('build: what is wrong is told with its place', async () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    [
      'FROM scratch AS x\nRUN --mount=from=z,target=/z true\nFROM x AS z',
      /circular dependency detected on stage: x/,
    ],
    ['FROM busybox\nRUN --network=nowhere true', /network nowhere not found/],
    ['FROM busybox\nRUN --security=insecure true', /security.insecure is not allowed/],
    ['FROM busybox\nUSER ghost\nRUN true', /unable to find user ghost/],
    ['FROM $NOTHING', /base name \(\$NOTHING\) should not be blank/],
    ['FROM busybox\nRUN ["/nowhere"]', /stat \/nowhere: no such file or directory/],
    ['FROM sha256:0123456789012345678901234567890123456789012345678901234567890123', /No such image/],
  ];
  for (const [dockerfile, message] of cases) {
    await assert.rejects(box.build(dockerfile), (error) => {
      assert.ok(error instanceof DockerfileError, `${dockerfile}: ${String(error)}`);
      assert.match(error.message, message);
      return true;
    });
  }
});

test('build: an abort ends it and leaves nothing', async () => {
  const control = new AbortController();
  const work = box.build('FROM busybox\nRUN echo up; sleep 1000', {
    signal: control.signal,
    onEvent: ({ kind }) => {
      if (kind === 'log') control.abort(new Error('enough'));
    },
  });
  await assert.rejects(work, /enough/);
  assert.deepEqual(readdirSync(join(box.dir, 'run/builds')), []);
});

test('build: ONBUILD, ARG before FROM, platform arguments, labels, SOURCE_DATE_EPOCH', async () => {
  await box.build('FROM busybox\nONBUILD RUN echo triggered $TARGETARCH\nONBUILD LABEL by=trigger', {
    name: 'parent',
  });
  const dockerfile = ['ARG BASE=parent', 'FROM $BASE', 'ARG TARGETPLATFORM', 'RUN echo $TARGETPLATFORM'].join(
    '\n',
  );
  const options = {
    name: 'child',
    labels: new Map([['own', 'x']]),
    args: new Map([['SOURCE_DATE_EPOCH', '1000000000']]),
  };
  const built = await box.build(dockerfile, options);
  assert.match(built.log, /^triggered\nlinux\/\w+\n$/);
  const image = box.engine.backend.images.inspect('child', undefined);
  assert.deepEqual(image.Config?.Labels, { by: 'trigger', own: 'x' });
  assert.equal(image.Created, '2001-09-09T01:46:40Z');
  const again = await box.build(dockerfile, { ...options, noCache: true });
  assert.equal(again.result.image, built.result.image);
});

test('build: the cache can be listed and pruned', async () => {
  const { builder } = box.engine.backend;
  const records = await builder.usage();
  assert.ok(records.length > 5);
  assert.ok(records.every(({ inUse }) => !inUse));
  assert.match(records.find(({ shared }) => shared)?.reason ?? '', /^image \S+( and \d+ more)? needs it$/);
  assert.match(
    records.find(({ shared }) => !shared)?.reason ?? '',
    /^last used .* ago; goes .* after its last use/,
  );
  assert.ok(records.some(({ kind }) => kind === 'exec.cachemount'));
  await builder.prune({ all: true, filters: new Map() });
  assert.deepEqual(await builder.usage(), []);
  assert.equal((await box.build('FROM first\nRUN cat /made')).log, 'hello b\n');
});
