import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { DockerfileError } from '#/dockerfile/errors.ts';
import type { ImageInspect } from '#/wire/images.ts';
import { BuildBox } from '#tests/builds.ts';

const box = await BuildBox.open();
after(() => box[Symbol.asyncDispose]());

async function built(...lines: string[]): Promise<{ config: ImageInspect['Config']; history: string[] }> {
  await box.build(lines.join('\n'), { name: 'it' });
  const { images } = box.engine.backend;
  return {
    config: images.inspect('it', undefined).Config,
    history: images.history('it', undefined).map(({ CreatedBy }) => CreatedBy),
  };
}

test('build: empty lists of CMD and ENTRYPOINT are none, as BuildKit writes them', async () => {
  const { config, history } = await built(
    'FROM scratch AS base',
    'CMD ["a"]',
    'ENTRYPOINT ["b"]',
    'FROM base',
    'ENTRYPOINT []',
    'CMD []',
  );
  assert.deepEqual([config?.Cmd, config?.Entrypoint], [null, null]);
  assert.deepEqual(history, ['CMD []', 'ENTRYPOINT []', 'ENTRYPOINT ["b"]', 'CMD ["a"]']);
});

test('build: ONBUILD is kept, but history does not tell of it', async () => {
  const { config, history } = await built('FROM scratch', 'ONBUILD RUN a', 'LABEL b=c');
  assert.deepEqual(config?.OnBuild, ['RUN a']);
  assert.deepEqual(history, ['LABEL b=c']);
});

test('build: WORKDIR makes directories for the user', async () => {
  const { log } = await box.build(
    [
      'FROM busybox',
      'USER alice:wheel',
      'WORKDIR /a/b',
      'USER 7',
      'WORKDIR /c',
      'USER unknown',
      'WORKDIR /d',
      'USER 0',
      'WORKDIR /e',
      'RUN stat -c %n:%u:%g /a /a/b /c /d /e',
    ].join('\n'),
  );
  assert.equal(log, '/a:1000:10\n/a/b:1000:10\n/c:7:7\n/d:0:0\n/e:0:0\n');
});

test('build: ports and directories are told as they are written', async () => {
  const { config, history } = await built(
    'FROM scratch',
    'WORKDIR //a/../b/',
    'WORKDIR ../c/',
    'EXPOSE 90 80/UDP 90/tcp 8-9',
    'WORKDIR /d/',
  );
  assert.deepEqual(history, [
    'WORKDIR /d/',
    'EXPOSE [8/tcp 9/tcp 80/udp 90/tcp 90/tcp]',
    'WORKDIR /c',
    'WORKDIR //a/../b/',
  ]);
  assert.deepEqual(
    [config?.WorkingDir, Object.keys(config?.ExposedPorts ?? {})],
    ['/d/', ['8/tcp', '80/udp', '9/tcp', '90/tcp']],
  );
});

test('build: progress tells what an image is, how scripts begin, and what a base image has left to do', async () => {
  await box.build('FROM busybox\nONBUILD RUN true', { name: 'base' });
  const names = async (...lines: string[]): Promise<string[]> => [
    ...(await box.build(lines.join('\n'))).vertices.keys(),
  ];
  assert.deepEqual(
    await names('FROM base AS a', 'RUN <<EOF', 'cd /', 'true', 'EOF', 'RUN <<X', ' true ', 'X'),
    [
      '[internal] load .dockerignore',
      '[internal] load metadata for docker.io/library/base:latest',
      '[1/3] FROM docker.io/library/base:latest',
      '[2/4] ONBUILD RUN true',
      '[3/4] RUN <<EOF (cd /...)',
      '[4/4] RUN <<X (true)',
      'exporting to image',
    ],
  );
});

test('build: an image that cannot be had is told where it is named, in the words of BuildKit', async () => {
  const unknown = `sha256:${'0'.repeat(64)}`;
  const wrong: readonly (readonly [dockerfile: string, message: string | RegExp, line: number])[] = [
    [
      'FROM UP',
      'failed to parse stage name "UP": invalid reference format: repository name (library/UP) must be lowercase',
      1,
    ],
    [
      'FROM scratch\nCOPY --from=a:b:c / /',
      'failed to parse stage name "a:b:c": invalid reference format',
      2,
    ],
    [
      'FROM --platform=a/b/c/d x',
      /^failed to parse platform a\/b\/c\/d: .*cannot parse platform specifier/,
      1,
    ],
    [
      `FROM ${unknown}`,
      `${unknown}: failed to resolve source metadata for ${unknown}: No such image: ${unknown}`,
      1,
    ],
    [
      `FROM busybox\nCOPY --from=${unknown} / /`,
      `${unknown}: failed to resolve source metadata for ${unknown}: No such image: ${unknown}`,
      2,
    ],
    [`FROM busybox\nRUN --mount=from=${unknown},target=/x true`, /failed to resolve source metadata/, 2],
  ];
  for (const [dockerfile, message, line] of wrong) {
    const failed = await box.build(dockerfile).catch((error: unknown) => error);
    assert.ok(failed instanceof DockerfileError, `${dockerfile}: ${String(failed)}`);
    assert.match(
      failed.message,
      typeof message === 'string' ? new RegExp(`^${RegExp.escape(message)}$`) : message,
    );
    assert.equal(failed.range.start.line, line, dockerfile);
  }
});

test('build: what a base image has left and cannot be done is told where that image is named', async () => {
  await box.build('FROM busybox\nONBUILD COPY nothing /', { name: 'demands' });
  const failed = await box.build('ARG A\n\nFROM demands\n').catch((error: unknown) => error);
  assert.ok(failed instanceof DockerfileError, String(failed));
  assert.equal(failed.range.start.line, 3);
});

test('build: the target is the last stage if none is named', async () => {
  const dockerfile = [
    'FROM scratch AS one',
    'FROM scratch AS Two',
    'ARG TARGETSTAGE',
    'LABEL it=$TARGETSTAGE',
  ];
  assert.deepEqual((await built(...dockerfile)).config?.Labels, { it: 'two' });
});

test('build: a target is a name, never a number', async () => {
  await assert.rejects(box.build('FROM scratch AS one', { target: '0' }), {
    message: 'target stage "0" could not be found',
  });
});

test('build: what cannot be planned is said in the words of BuildKit, with the place and what to do', async () => {
  const wrong: readonly (readonly [dockerfile: string, message: string, line: number, hint: RegExp])[] = [
    ['ARG A\nFROM $A\n', 'base name ($A) should not be blank', 2, /defaults/],
    ['FROM scratch\nENV A=${B:?no}\n', 'failed to process "${B:?no}": B: no', 2, /^Give B a value/],
    ['FROM scratch\nENV A=${B\n', 'failed to process "${B": syntax error: missing \'}\'', 2, /\$\{NAME\}/],
    ['FROM scratch\nCOPY --from=9 a /\n', 'invalid stage index 9', 2, /the last one is 0/],
    [
      'FROM scratch\nCOPY --from=$A a /\n',
      'variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround',
      2,
      /AS source/,
    ],
    [
      'FROM scratch AS a\nCOPY --from=b x /\nFROM scratch AS b\nFROM a\n',
      'cannot copy from stage "b", it needs to be defined before current stage "a"',
      2,
      /Move that stage up/,
    ],
    [
      'FROM scratch AS a\nRUN --mount=from=1,target=/m x\nFROM scratch AS b\nFROM a\n',
      'cannot mount from stage "1" to "/m", stage needs to be defined before current command',
      2,
      /Move that stage up/,
    ],
    [
      'FROM scratch AS a\nCOPY --from=b x /\nFROM a AS b\n',
      'circular dependency detected on stage: a',
      1,
      /a needs b needs a/,
    ],
    [
      'FROM scratch\nRUN --mount=type=cach,target=/x y\n',
      'unsupported mount type "cach" (did you mean cache?)',
      2,
      /^Usage/,
    ],
    ['FROM scratch\nCOPY https://x.test/y /\n', "source can't be a URL for COPY", 2, /ADD/],
    ['FROM scratch\nCOPY git@x.test:a/b.git /\n', "source can't be a git ref for COPY", 2, /ADD/],
    ['FROM scratch\nCOPY https://github.com/a/b.git /\n', "source can't be a git ref for COPY", 2, /ADD/],
    ['FROM scratch\nCOPY a@b/c.git /\n', '"/a@b/c.git": not found', 2, /ignore file/],
    ['FROM scratch\nCOPY nothing /\n', '"/nothing": not found', 2, /ignore file/],
  ];
  for (const [dockerfile, message, line, hint] of wrong) {
    await assert.rejects(box.build(dockerfile), (error) => {
      assert.ok(error instanceof DockerfileError, String(error));
      assert.equal(error.message, message);
      assert.equal(error.range.start.line, line, dockerfile);
      assert.match(error.hint ?? '', hint);
      return true;
    });
  }
  await assert.rejects(box.build('FROM scratch AS base\n', { target: 'bas' }), {
    kind: 'invalid',
    message: 'target stage "bas" could not be found (did you mean base?)',
  });
});
