import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDockerfile } from '#/dockerfile/parse.ts';
import { answerSubrequest } from './subrequests.ts';

const text = `# syntax=docker/dockerfile:1
ARG BASE=debian
FROM $BASE AS tools
RUN --mount=type=secret,id=token,required --mount=type=cache,target=/root/.cache make
# app what runs
FROM scratch AS app
ARG VERSION=1
ARG EMPTY
COPY --from=tools /bin/tool /tool
RUN --mount=type=ssh,id=git clone
FROM scratch AS other
ARG UNUSED=1
`;

async function ask(
  name: string,
  attributes: Record<string, string> = {},
  dockerfile: string = text,
): Promise<{
  readonly [key: string]: unknown;
}> {
  const answer = await answerSubrequest(name, {
    attributes: new Map(Object.entries(attributes)),
    load: async () => ({ dockerfile: parseDockerfile(Buffer.from(dockerfile)), excludes: ['*.log'] }),
    imageConfig: (image) => (image === 'debian' ? { Env: ['PATH=/bin'] } : undefined),
  });
  assert.equal(answer.get('version'), '1.0.0');
  return JSON.parse(answer.get('result.json') ?? '');
}

test('answerSubrequest: lists targets', async () => {
  const { targets } = (await ask('frontend.targets')) as { targets: object[] };
  assert.deepEqual(targets, [
    { name: 'tools', base: '$BASE', location: { ranges: [{ start: { line: 3 }, end: { line: 3 } }] } },
    {
      name: 'app',
      description: 'what runs',
      base: 'scratch',
      location: { ranges: [{ start: { line: 6 }, end: { line: 6 } }] },
    },
    {
      name: 'other',
      default: true,
      base: 'scratch',
      location: { ranges: [{ start: { line: 11 }, end: { line: 11 } }] },
    },
  ]);
});

test('answerSubrequest: outlines a target with what it is made from', async () => {
  const outline = await ask('frontend.outline', { target: 'app', 'build-arg:VERSION': '7' });
  const names = (list: unknown) =>
    (list as { name?: string; ID?: string }[]).map(({ name, ID }) => name ?? ID);
  assert.deepEqual(names(outline['args']), ['BASE', 'VERSION', 'EMPTY']);
  assert.equal((outline['args'] as { value?: string }[])[1]?.value, '7');
  assert.deepEqual(names(outline['secrets']), ['token']);
  assert.equal((outline['secrets'] as { required?: boolean }[])[0]?.required, true);
  assert.deepEqual(names(outline['ssh']), ['git']);
  assert.deepEqual(names(outline['cache']), ['/root/.cache']);
  await assert.rejects(ask('frontend.outline', { target: 'nope' }), /target stage "nope" could not be found/);
});

test('answerSubrequest: an outline has the values that a build would have, and no arguments that are always there', async () => {
  const file = `ARG BASE=debian
ARG UNUSED=1
FROM $BASE AS one
ENV PORT=80
ARG PORT=1 NEXT=\${PORT}1
FROM one
ARG BASE
ARG TARGETARCH
ARG MORE=\${PORT}-\${BASE}-\${UNUSED}\${TARGETARCH:+x}
RUN --mount=type=secret,target=/run/\${MORE}/key --mount=type=ssh true
`.replaceAll('\\$', '$');
  const { args, secrets, ssh } = (await ask('frontend.outline', { 'build-arg:NEXT': '7' }, file)) as Record<
    string,
    { name: string; value?: string; location: { ranges: [{ start: { line: number } }] } }[]
  >;
  assert.deepEqual(
    args?.map(({ name, value, location }) => [name, value, location.ranges[0].start.line]),
    [
      ['BASE', 'debian', 1],
      ['PORT', '1', 5],
      ['NEXT', '7', 5],
      ['MORE', '80-debian-x', 9],
    ],
  );
  assert.deepEqual([secrets?.[0]?.name, ssh?.[0]?.name], ['key', 'default']);
  const plain = await ask('frontend.outline', {}, 'FROM scratch\n');
  assert.deepEqual(Object.keys(plain), ['sources']);
});

test('answerSubrequest: checks with what is known of images and of the ignore file', async () => {
  const { warnings } = (await ask(
    'frontend.lint',
    {},
    '# check=experimental=all\nFROM debian\nENV A=$PATH B=$NOPE\nCOPY x.log /\n',
  )) as {
    warnings: { detail: string }[];
  };
  assert.deepEqual(
    warnings.map(({ detail }) => detail),
    [
      "Usage of undefined variable '$NOPE'",
      'Attempting to Copy file "x.log" that is excluded by .dockerignore',
    ],
  );
});

test('answerSubrequest: checks, also what cannot be built', async () => {
  const { warnings } = (await ask('frontend.lint', {}, 'from scratch\nCOPY a /\nCMD a\n')) as {
    warnings: { ruleName: string; url: string }[];
  };
  assert.deepEqual(
    warnings.map(({ ruleName }) => ruleName),
    ['ConsistentInstructionCasing', 'JSONArgsRecommended'],
  );
  assert.equal(warnings[1]?.url, 'https://docs.docker.com/go/dockerfile/rule/json-args-recommended/');
  const broken = (await ask('frontend.lint', {}, 'FROM scratch\nRUM x\n')) as {
    buildError: { message: string; location: object };
  };
  assert.match(broken.buildError.message, /unknown instruction: RUM/);
  assert.deepEqual(broken.buildError.location, { ranges: [{ start: { line: 2 }, end: { line: 2 } }] });
});

test('answerSubrequest: refuses other questions', async () => {
  await assert.rejects(ask('frontend.dance'), /unsupported request frontend.dance/);
});
