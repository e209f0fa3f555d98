import assert from 'node:assert/strict';
import { after, test } from 'node:test';
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

test('build: the target is the last stage if none is named', async () => {
  const dockerfile = [
    'FROM scratch AS one',
    'FROM scratch AS Two',
    'ARG TARGETSTAGE',
    'LABEL it=$TARGETSTAGE',
  ];
  assert.deepEqual((await built(...dockerfile)).config?.Labels, { it: 'two' });
});
