import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildEvent, WarningEvent } from '#/builder/progress.ts';
import { BuildBox, type Built } from '#tests/builds.ts';

const box = await BuildBox.open();

test.after(() => box[Symbol.asyncDispose]());

function warnings({ events }: Pick<Built, 'events'>): WarningEvent[] {
  return events.filter((event) => event.kind === 'warning');
}

test('Builder: tells what could be better in the stages that are built', async () => {
  const dockerfile = `FROM busybox AS unused
ENV a $NOTHING
FROM busybox AS Used
COPY . /$PATHS
WORKDIR x
`;
  box.files({ one: '1' });
  const found = warnings(await box.build(dockerfile));
  assert.deepEqual(
    found.map(({ short }) => short),
    [
      "StageNameCasing: Stage name 'Used' should be lowercase (line 3)",
      "UndefinedVar: Usage of undefined variable '$PATHS' (did you mean $PATH?) (line 4)",
      'WorkdirRelativePath: Relative workdir "x" can have unexpected results if the base image changes (line 5)',
    ],
  );
  assert.deepEqual(found[1], {
    kind: 'warning',
    vertex: undefined,
    rule: 'UndefinedVar',
    short: "UndefinedVar: Usage of undefined variable '$PATHS' (did you mean $PATH?) (line 4)",
    detail: [
      'Variables should be defined before their use',
      'Declare the variable with ARG or ENV in this stage before it is used.',
    ],
    url: 'https://docs.docker.com/go/dockerfile/rule/undefined-var/',
    source: { name: 'Dockerfile', lines: dockerfile.split('\n') },
    lines: [4, 4],
  });
});

test('Builder: knows the variables of the base image and the ignore file', async () => {
  box.files({ '.dockerignore': 'secret*\n', 'secret.txt': '' });
  await box.build('FROM busybox\nENV BASE=1\n', { name: 'base' });
  const { events } = await box.build(
    '# check=experimental=CopyIgnoredFile\nFROM base\nLABEL a=$BASE\nCOPY secret* one /\n',
  );
  assert.deepEqual(
    warnings({ events }).map(({ short }) => short),
    ['CopyIgnoredFile: Attempting to Copy file "secret*" that is excluded by .dockerignore (line 4)'],
  );
});

test('Builder: warnings fail a build where the file or an argument says so, before anything is run', async () => {
  const dockerfile = 'FROM busybox AS A\nRUN false\n';
  const message = 'lint violation found for rules: StageNameCasing';
  await assert.rejects(box.build(`# check=error=true\n${dockerfile}`), { kind: 'invalid', message });
  const strict = new Map([['BUILDKIT_DOCKERFILE_CHECK', 'error=true']]);
  await assert.rejects(box.build(dockerfile, { args: strict }), { kind: 'invalid', message });
  const lax = new Map([['BUILDKIT_DOCKERFILE_CHECK', 'skip=all']]);
  const passing = '# check=error=true\nFROM busybox AS A\nRUN true\n';
  assert.deepEqual(warnings(await box.build(passing, { args: lax })), []);
  await assert.rejects(box.build(`# check=nonsense\n${dockerfile}`), {
    kind: 'invalid',
    message: 'failed to parse check options: invalid check option "nonsense"',
  });
});

test('Builder: warns before it tells what is wrong', async () => {
  const events: WarningEvent[] = [];
  const onEvent = (event: BuildEvent): void => {
    if (event.kind === 'warning') events.push(event);
  };
  const build = box.build('FROM busybox\nUSER $X\nENV A=${B?no}\n', { onEvent });
  await assert.rejects(build, { kind: 'invalid', message: 'failed to process "${B?no}": B: no' });
  assert.deepEqual(
    events.map(({ rule }) => rule),
    ['UndefinedVar', 'UndefinedVar'],
  );
});
