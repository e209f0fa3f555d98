import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDockerfile } from '#/dockerfile/parse.ts';
import { foreignFrontEnd } from './front-end.ts';

function warning(syntax: string): string | undefined {
  return foreignFrontEnd(parseDockerfile(Buffer.from(`${syntax}\nFROM scratch`)), undefined)?.short;
}

test('foreignFrontEnd: only what is not Docker’s own language is told', () => {
  for (const name of [
    'docker/dockerfile',
    'docker/dockerfile:1.7-labs',
    'docker.io/docker/dockerfile-upstream:master',
  ])
    assert.equal(warning(`# syntax=${name}`), undefined, name);
  assert.equal(warning(''), undefined);
  assert.equal(
    warning('# syntax=evil/docker/dockerfile:1'),
    'ForeignFrontEnd: "# syntax=evil/docker/dockerfile:1" is not followed (line 1)',
  );
});
