import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeOutline, describeTargets } from './describe.ts';

const content = Buffer.from(`# base is the base of all
FROM scratch AS base
# V tells the version
ARG V=1
ARG W
# final is what you want
FROM base AS final
ARG X="a $V"
RUN --mount=type=secret,id=s,required --mount=type=ssh true
`);
const input = { name: 'Dockerfile', content, args: new Map<string, string>(), target: '' };

test('describeTargets: stages with what their comments say', () => {
  assert.equal(
    describeTargets(input),
    'TARGET          DESCRIPTION\nbase            is the base of all\nfinal (default) is what you want\n',
  );
  assert.equal(
    describeTargets({ ...input, content: Buffer.from('FROM scratch AS a\nFROM scratch\n') }),
    'TARGET    DESCRIPTION\na         \n(default) \n',
  );
});

test('describeOutline: arguments with their values, secrets and agents of the target', () => {
  const args = new Map([['W', 'given']]);
  assert.equal(
    describeOutline({ ...input, args }),
    `TARGET:      final
DESCRIPTION: is what you want

BUILD ARG   VALUE   DESCRIPTION
V           1       tells the version
W           given   \nX           a 1     \n
SECRET   REQUIRED
s        true

SSH       REQUIRED
default   \n
`,
  );
  assert.doesNotMatch(describeOutline({ ...input, target: 'BASE' }), /SECRET/);
  assert.throws(
    () => describeOutline({ ...input, target: 'nope' }),
    /target stage "nope" could not be found/,
  );
  assert.throws(() => describeOutline({ ...input, content: Buffer.from('FRM x\n') }), /unknown instruction/);
});
