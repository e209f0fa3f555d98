import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { CacheLocation } from '#/builder/request.ts';
import { DockerfileError } from '#/dockerfile/errors.ts';
import { parseReference } from '#/oci/reference.ts';
import { noFilters } from '#/wire/filters.ts';
import { BuildBox, type Built } from '#tests/builds.ts';
import { startRegistry } from '#tests/registry-server.ts';
import { until } from '#tests/until.ts';

const box = await BuildBox.open();
const registry = await startRegistry();
after(async () => {
  await box[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

box.files({ 'l/file': 'linked\n', 'l/more/file': 'more\n' });

/** Makes the image `base` anew; another `version` is another image. */
async function base(version: string, ...lines: readonly string[]): Promise<void> {
  await box.build(['FROM busybox', `RUN echo ${version} >/version`, ...lines].join('\n'), { name: 'base' });
}

/** Whether the cache had the only step whose name has `text`. */
function cached({ vertices }: Built, text: string): boolean | undefined {
  const found = [...vertices].filter(([name]) => name.includes(text));
  assert.equal(found.length, 1, text);
  return found[0]?.[1].cached;
}

test('COPY --link: its layer is used again when what is below has changed', async () => {
  const dockerfile = [
    'FROM base',
    'RUN echo once >/once',
    'COPY --link l /kept/',
    'ADD --link --chmod=600 l/file /kept/added',
    'RUN cat /version /kept/file /kept/more/file /kept/added; ls /kept; stat -c %a /kept/added',
  ].join('\n');
  const content = 'linked\nmore\nlinked\nadded\nfile\nmore\n600\n';
  await base('one');
  const one = await box.build(dockerfile, { name: 'one' });
  assert.equal(one.log, `one\n${content}`);
  await base('two', 'RUN ln -s /etc /kept');
  const two = await box.build(dockerfile, { name: 'two', explain: true });
  assert.equal(two.log, `two\n${content}`);
  assert.equal(cached(two, 'RUN echo once'), false);
  assert.equal(cached(two, 'COPY --link'), true);
  assert.equal(cached(two, 'ADD --link'), true);
  const [made = '', why] = [...two.vertices].find(([name]) => name.includes('COPY'))?.[1].explanation ?? [];
  assert.match(made, /^cached: made at /);
  assert.equal(why, 'linked: what is below it does not count');
  const layersOf = (name: string): readonly string[] =>
    box.engine.backend.images.inspect(name, undefined).RootFS.Layers ?? [];
  const [first, second] = [layersOf('one').slice(-3, -1), layersOf('two').slice(-3, -1)];
  assert.equal(first.length, 2);
  assert.deepEqual(second, first);
  // And on the first base again, where nothing is to be done at all.
  await base('one');
  const again = await box.build(dockerfile, { name: 'one' });
  assert.ok([...again.vertices.values()].every((vertex) => vertex.cached || !vertex.name.startsWith('[2')));
  assert.equal(again.result.image, one.result.image);
});

test('COPY --link: what it copies counts, and users by their numbers in what is below', async () => {
  const build = (lines: readonly string[], options: Parameters<typeof box.build>[1] = {}): Promise<Built> =>
    box.build(['FROM base', ...lines].join('\n'), options);
  const lines = ['COPY --link --chown=alice l/file /owned/', 'RUN stat -c %u:%g /owned /owned/file'];
  await base('one');
  assert.equal((await build(lines)).log, '1000:1000\n1000:1000\n');
  await base('two');
  assert.equal(cached(await build(lines), 'COPY'), true);
  await base('three', "RUN sed -i 's/alice:x:1000/alice:x:7/' /etc/passwd");
  const changed = await build(lines, { explain: true });
  assert.equal(changed.log, '7:1000\n7:1000\n');
  const why = [...changed.vertices].find(([name]) => name.includes('COPY'))?.[1].explanation;
  assert.deepEqual(why, ['changed: owner: "1000:1000" -> "7:1000"', 'new or changed: /owned/file']);
  await assert.rejects(build(['COPY --link --chown=nobody-such l/file /owned/']), /nobody-such/);
  box.files({ 'l/file': 'other\n' });
  assert.equal(cached(await build(lines), 'COPY'), false);
  box.files({ 'l/file': 'linked\n' });
});

test('COPY --link: in several stages, without waiting for the steps below it', async () => {
  const wait = 'for i in $(seq 600); do [ -e /gate/open ] && break; sleep 0.1; done';
  const dockerfile = [
    'FROM base AS made',
    'RUN echo tool >/tool',
    'FROM base AS one',
    `RUN --mount=type=cache,id=link-gate,target=/gate ${wait}; [ -e /gate/open ] && echo opened`,
    'COPY --link --from=made /tool /in/',
    'FROM busybox AS two',
    'COPY --link --from=made /tool /in/',
    'FROM scratch',
    'COPY --link --from=one /in/tool /one',
    'COPY --link --from=two /in/tool /two',
    'FROM busybox',
    'COPY --from=3 / /all',
    'RUN cat /all/one /all/two',
  ].join('\n');
  await base('one');
  const mounts = join(box.dir, 'data/builder/mounts');
  const done = new Set<string>();
  const building = box.build(dockerfile, {
    onEvent: (event) => {
      if (event.kind === 'vertex' && event.completed !== undefined) done.add(event.name);
    },
  });
  await until(() => done.has('[one 3/3] COPY --link --from=made /tool /in/'), {
    what: 'the linked step is done before the one below it',
  });
  assert.ok([...done].every((name) => !name.startsWith('[one 2/3]')));
  for (const id of readdirSync(mounts)) writeFileSync(join(mounts, id, 'data/open'), '');
  assert.equal((await building).log, 'opened\ntool\ntool\n');
});

test('COPY --link: that a step below it fails is told of that step alone', async () => {
  const ended = new Map<string, string | undefined>();
  const building = box.build('FROM busybox\nRUN sleep 0.2; exit 3\nCOPY --link l /kept/', {
    onEvent: (event) => {
      if (event.kind === 'vertex' && event.completed !== undefined) ended.set(event.name, event.error);
    },
  });
  await assert.rejects(building, (error: Error) => {
    assert.ok(error instanceof DockerfileError);
    assert.match(error.message, /sleep 0.2; exit 3.* did not complete successfully: exit code: 3/);
    assert.match(error.excerpt, />>> RUN sleep/);
    return true;
  });
  assert.equal(ended.get('[3/3] COPY --link l /kept/'), undefined);
});

test('COPY --link: its layer comes from elsewhere for another base, too', async () => {
  const location = (type: string, attributes: Readonly<Record<string, string>>): CacheLocation => ({
    type,
    attributes: new Map(Object.entries(attributes)),
  });
  const forget = async (): Promise<void> => {
    const { images, builder } = box.engine.backend;
    for (const { Id } of images.list({ all: true, filters: noFilters })) {
      if (Id !== images.inspect('busybox', undefined).Id)
        await images.remove(Id, { force: true, prune: true });
    }
    await builder.prune({ all: true, filters: new Map() });
    assert.deepEqual(await builder.usage(), []);
  };
  const dockerfile = ['FROM base', 'COPY --link l /kept/', 'RUN cat /version /kept/file'].join('\n');
  const inline = `${registry.host}/link:inline`;
  const names = [parseReference(inline)];
  const places = {
    min: [location('registry', { ref: `${registry.host}/link:min` })],
    max: [location('registry', { ref: `${registry.host}/link:max`, mode: 'max' })],
    inline: [location('inline', {})],
  };
  for (const [mode, cacheTo] of Object.entries(places)) {
    await forget();
    await base('one');
    const outputs = [{ kind: 'registry', names, store: true, options: new Map() }] as const;
    await box.build(dockerfile, { cacheTo, ...(mode === 'inline' && { outputs }) });
    await forget();
    await base('two');
    const cacheFrom = [location('registry', { ref: `${registry.host}/link:${mode}` })];
    const made = await box.build(dockerfile, { cacheFrom, explain: true });
    assert.equal(made.log, 'two\nlinked\n', mode);
    const copy = [...made.vertices].find(([name]) => name.includes('COPY'))?.[1];
    assert.deepEqual(
      copy?.explanation,
      [`cached elsewhere: made at ${copy?.explanation?.[0]?.slice(26)}`],
      mode,
    );
  }
});

test('builder usage: a linked layer belongs to the images that have it, and to what is built on it', async () => {
  box.files({ 'u/file': 'used' });
  await base('one');
  await box.build('FROM base\nCOPY --link u /kept/\nRUN true', { name: 'owner' });
  const { builder, images } = box.engine.backend;
  const records = async (): ReturnType<typeof builder.usage> => builder.usage();
  const copy = (await records()).find(({ description }) => description.includes('COPY --link u /kept/'));
  assert.deepEqual([copy?.shared, copy?.reason], [true, 'image owner:latest needs it']);
  const run = (await records()).find(({ description }) => description.includes('3/3] RUN true'));
  assert.deepEqual(run?.parents, [copy?.id]);
  await images.remove('owner', { force: true, prune: true });
  const left = (await records()).find(({ id }) => id === copy?.id);
  assert.deepEqual([left?.shared, left?.size], [false, 4]);
});
