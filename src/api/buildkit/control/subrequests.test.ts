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
  const load = async () => parseDockerfile(Buffer.from(dockerfile));
  const answer = await answerSubrequest(name, { load, attributes: new Map(Object.entries(attributes)) });
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
