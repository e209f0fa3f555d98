import assert from 'node:assert/strict';
import { readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { BuildBox } from '#tests/builds.ts';
import { until } from '#tests/until.ts';

const box = await BuildBox.open();
after(() => box[Symbol.asyncDispose]());

/** How many steps run now. */
function running(): number {
  return readdirSync(join(box.dir, 'run/builds')).length;
}

test('build: who began a step and leaves does not take it from who waits for it', async () => {
  const wait = 'for i in $(seq 600); do [ -e /gate/open ] && break; sleep 0.1; done';
  const dockerfile = `FROM busybox\nRUN --mount=type=cache,target=/gate echo begun; ${wait}; echo done`;
  const first = new AbortController();
  let said = '';
  const one = box.build(dockerfile, {
    signal: first.signal,
    onEvent: (event) => {
      if (event.kind === 'log') said += event.data.toString();
    },
  });
  await until(() => said.includes('begun'), { what: 'the step runs' });
  let joined = false;
  const two = box.build(dockerfile, {
    onEvent: (event) => {
      if (event.kind === 'vertex' && event.name.startsWith('[2/2]') && event.started !== undefined)
        joined = true;
    },
  });
  await until(() => joined, { what: 'the second build waits for it' });
  assert.equal(running(), 1);
  first.abort(new Error('enough'));
  const mounts = join(box.dir, 'data/builder/mounts');
  const [gate = ''] = readdirSync(mounts);
  writeFileSync(join(mounts, gate, 'data/open'), '');
  await assert.rejects(one, /enough/);
  const { log, result } = await two;
  assert.match(log, /done\n$/);
  assert.ok(result.image !== undefined);
  assert.equal(running(), 0);
});

test('build: here-documents are scripts, programs and input', async () => {
  const dockerfile = [
    'FROM busybox',
    'RUN <<EOF',
    'set -e',
    'x=1',
    'echo script $x',
    'EOF',
    'RUN <<EOF',
    '#!/bin/busybox sh',
    'echo program $0',
    'EOF',
    'RUN cat <<A - <<B',
    'first',
    'A',
    'second',
    'B',
    'RUN ["/bin/sh", "-c", "echo exec form"]',
    'SHELL ["/bin/sh", "-ec"]',
    'RUN echo other $0',
  ].join('\n');
  const { log } = await box.build(dockerfile);
  assert.equal(log, 'script 1\nprogram /dev/pipes/EOF\nsecond\nexec form\nother /bin/sh\n');
});

test('build: an image that is not safe to run is not run', async () => {
  const dockerfile =
    'FROM busybox AS bad\nRUN rm -rf /sbin && ln -s /etc /sbin\nFROM scratch\nCOPY --from=bad /bin /bin\nCOPY --from=bad /sbin /dev\nRUN ["/bin/busybox", "true"]';
  // A directory takes what a link leads to; only a link itself in the place of /dev would be wrong.
  await box.build(dockerfile);
  symlinkSync('/etc', join(box.dir, 'context/dev'));
  await assert.rejects(
    box.build('FROM scratch\nCOPY --from=busybox /bin /bin\nCOPY . /\nRUN ["/bin/busybox", "true"]'),
    /the image is not safe to run: \/dev is not a directory/,
  );
  assert.equal(running(), 0);
});
