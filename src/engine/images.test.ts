import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf, parseDigest } from '#/oci/digest.ts';
import { parsePlatform } from '#/oci/platform.ts';
import { parseReference } from '#/oci/reference.ts';
import { loadImages } from '#/storage/images/load.ts';
import type { Filters } from '#/wire/filters.ts';
import { configOf, dockerArchive, type ImageScratch, openImages, streamOf, tarOf } from '#tests/images.ts';
import { type EngineEvent, Events } from './events.ts';
import type { ImageUser } from './images/users.ts';
import { Images, type ImportRequest } from './images.ts';

interface Scratch extends ImageScratch {
  readonly engine: Images;
  /** Containers by the image that they use. */
  readonly containers: Map<string, ImageUser[]>;
  /** The events so far, as `action name`. */
  readonly seen: () => Promise<string[]>;
}

async function open(): Promise<Scratch> {
  const store = await openImages();
  const events = new Events();
  const containers = new Map<string, ImageUser[]>();
  const users = { containersUsing: (id: string): ImageUser[] => containers.get(id) ?? [] };
  const engine = new Images({ ...store, users, events, driver: 'vfs' });
  const seen = async (): Promise<string[]> => {
    const past: EngineEvent[] = [];
    const stop = new AbortController();
    const stream = events.subscribe({ since: 0n, signal: stop.signal });
    stop.abort();
    for await (const event of stream) past.push(event);
    return past.map(
      ({ action, actor }) => `${action} ${actor.attributes['name'] ?? actor.attributes['reclaimed']}`,
    );
  };
  return { ...store, engine, containers, seen };
}

const signal = new AbortController().signal;
const stopped: ImageUser = { id: 'c'.repeat(64), name: 'c', running: false };
const running: ImageUser = { id: 'd'.repeat(64), name: 'd', running: true };

function filters(values: Readonly<Record<string, readonly string[]>>): Filters {
  return new Map(Object.entries(values));
}

/** Loads an image of one layer and returns its id. */
async function load(
  s: Scratch,
  names: readonly string[],
  more: { content?: string; config?: object } = {},
): Promise<string> {
  const layer = await tarOf({ file: more.content ?? names.join() });
  const [loaded] = await loadImages(s, streamOf(await dockerArchive(names, [layer], more.config)));
  return loaded?.image.id ?? assert.fail('nothing was loaded');
}

/** A parent `base:1` and its child `child:1`, whose only layer is the same. */
async function family(
  s: Scratch,
  names: readonly [string[], string[]] = [['base:1'], ['child:1']],
): Promise<[string, string]> {
  const layer = await tarOf({ f: 'x' });
  const base = configOf([layer]);
  const child = configOf([layer], {
    history: [{ created_by: 'base' }, { created_by: 'child', empty_layer: true }],
  });
  const archive = await tarOf({
    base,
    child,
    layer,
    'manifest.json': JSON.stringify([
      { Config: 'base', RepoTags: names[0], Layers: ['layer'] },
      { Config: 'child', RepoTags: names[1], Layers: ['layer'], Parent: digestOf(base) },
    ]),
  });
  await loadImages(s, streamOf(archive));
  return [digestOf(base), digestOf(child)];
}

const plain = { force: false, prune: true };

test('Images: digests that go with the last tag of their repository have no event of their own', async () => {
  await using s = await open();
  const id = await load(s, ['a:1', 'b:1']);
  s.images.name(parseDigest(id), parseReference(`a@${digestOf('manifest')}`));
  assert.deepEqual(await s.engine.remove('a:1', plain), [
    { Untagged: 'a:1' },
    { Untagged: `a@${digestOf('manifest')}` },
  ]);
  assert.deepEqual(await s.seen(), [`untag ${id}`]);
});

test('Images: removing a name only untags, removing the last one deletes', async () => {
  await using s = await open();
  const id = await load(s, ['a:1', 'a:2']);
  const [layer] = s.layers.chain(s.images.get(id)?.chainId ?? assert.fail());
  assert.deepEqual(await s.engine.remove('a:1', plain), [{ Untagged: 'a:1' }]);
  assert.deepEqual(await s.engine.remove('a:2', plain), [
    { Untagged: 'a:2' },
    { Deleted: id },
    { Deleted: layer?.chainId },
  ]);
  assert.deepEqual(await s.seen(), [`untag ${id}`, `untag ${id}`, `delete ${id}`]);
  await assert.rejects(s.engine.remove('a:2', plain), { kind: 'notFound', message: 'No such image: a:2' });
});

test('Images: removing by id takes the names of one repository, and of several only by force', async () => {
  await using s = await open();
  const id = await load(s, ['a:1', 'b:1']);
  const short = id.slice(7, 19);
  await assert.rejects(s.engine.remove(short, plain), {
    kind: 'conflict',
    message: `conflict: unable to delete ${short} (must be forced) - image is referenced in multiple repositories`,
  });
  const removed = await s.engine.remove(short, { ...plain, force: true });
  assert.deepEqual(removed.slice(0, 3), [{ Untagged: 'a:1' }, { Untagged: 'b:1' }, { Deleted: id }]);
});

test('Images: a stopped container protects the last name and the image, unless by force', async () => {
  await using s = await open();
  const id = await load(s, ['a:1', 'a:2']);
  const short = id.slice(7, 19);
  s.containers.set(id, [stopped]);
  assert.deepEqual(await s.engine.remove('a:1', plain), [{ Untagged: 'a:1' }]);
  await assert.rejects(s.engine.remove('a:2', plain), {
    kind: 'conflict',
    message: `conflict: unable to remove repository reference "a:2" (must force) - container cccccccccccc is using its referenced image ${short}`,
  });
  await assert.rejects(s.engine.remove(id, plain), {
    kind: 'conflict',
    message: `conflict: unable to delete ${short} (must be forced) - image is being used by stopped container cccccccccccc`,
  });
  const removed = await s.engine.remove(id, { ...plain, force: true });
  assert.deepEqual(removed.slice(0, 2), [{ Untagged: 'a:2' }, { Deleted: id }]);
});

test('Images: under a running container force takes the name, never the image', async () => {
  await using s = await open();
  const id = await load(s, ['a:1']);
  s.containers.set(id, [running]);
  const refused = {
    kind: 'conflict',
    message: `conflict: unable to delete ${id.slice(7, 19)} (cannot be forced) - image is being used by running container dddddddddddd`,
  };
  await assert.rejects(s.engine.remove(id, { ...plain, force: true }), refused);
  assert.deepEqual(await s.engine.remove('a:1', { ...plain, force: true }), [{ Untagged: 'a:1' }]);
  await assert.rejects(s.engine.remove(id, { ...plain, force: true }), refused);
});

test('Images: children protect their parent; without names the parent goes with the last of them', async () => {
  await using s = await open();
  const [base, child] = await family(s);
  await assert.rejects(s.engine.remove(base, { ...plain, force: true }), {
    kind: 'conflict',
    message: `conflict: unable to delete ${base.slice(7, 19)} (cannot be forced) - image has dependent child images`,
  });
  assert.deepEqual(await s.engine.remove('base:1', plain), [{ Untagged: 'base:1' }]);
  const removed = await s.engine.remove('child:1', plain);
  assert.deepEqual(removed.slice(0, 3), [{ Untagged: 'child:1' }, { Deleted: child }, { Deleted: base }]);
  assert.equal(s.images.count(), 0);
});

test('Images: noprune leaves parents', async () => {
  await using s = await open();
  const [base] = await family(s, [[], ['child:1']]);
  await s.engine.remove('child:1', { force: false, prune: false });
  assert.deepEqual(
    s.images.list().map(({ id }) => id),
    [base],
  );
});

test('Images: list shows names, sizes, users, newest first; parents without a name only with all', async () => {
  await using s = await open();
  const [base, child] = await family(s, [[], ['child:1']]);
  const newer = await load(s, ['new:1', 'me/new:2'], { config: { created: '2026-01-01T00:00:00Z' } });
  s.containers.set(newer, [stopped, running]);
  const ids = (options: object = {}): string[] =>
    s.engine.list({ filters: new Map(), ...options }).map(({ Id }) => Id);
  assert.deepEqual(ids(), [newer, child]);
  assert.deepEqual(new Set(ids({ all: true })), new Set([newer, child, base]));
  assert.deepEqual(s.engine.list({ filters: filters({ reference: ['new'] }) }), [
    {
      Containers: 2,
      Created: Date.UTC(2026, 0) / 1000,
      Id: newer,
      Labels: null,
      ParentId: '',
      RepoDigests: [],
      RepoTags: ['new:1'],
      SharedSize: -1,
      Size: 'new:1,me/new:2'.length,
    },
  ]);
  const shared = s.engine.list({ filters: new Map(), sharedSize: true });
  assert.deepEqual(
    shared.map(({ SharedSize }) => SharedSize),
    [0, 1],
  );
});

test('Images: list filters', async () => {
  await using s = await open();
  const at = (day: number, labels: object = {}): object => ({
    config: { created: `2026-01-0${day}T00:00:00Z`, config: { Labels: labels } },
  });
  const [one, two, three] = [
    await load(s, ['one:1'], at(1, { l: 'x' })),
    await load(s, ['two:1', 'me/two:2'], at(2, { l: 'y' })),
    await load(s, [], { content: 'three', ...at(3) }),
  ];
  const found = (values: Record<string, string[]>): string[] =>
    s.engine.list({ filters: filters(values) }).map(({ Id }) => Id);
  const cases: readonly (readonly [Record<string, string[]>, string[]])[] = [
    [{ dangling: ['true'] }, [three]],
    [{ dangling: ['false'] }, [two, one]],
    [{ label: ['l'] }, [two, one]],
    [{ label: ['l=x'] }, [one]],
    [{ label: ['l', 'm'] }, []],
    [{ before: ['two:1'] }, [one]],
    [{ since: ['one'.concat(':1')] }, [three, two]],
    [{ since: ['one:1'], before: [three] }, [two]],
    [{ until: ['2026-01-02T12:00:00Z'] }, [two, one]],
    [{ reference: ['*:1'] }, [two, one]],
    [{ reference: ['me/*'] }, [two]],
    [{ reference: ['one', 'none'] }, [one]],
  ];
  for (const [values, expected] of cases) assert.deepEqual(found(values), expected, JSON.stringify(values));
  assert.throws(() => found({ foo: [] }), { kind: 'invalid', message: "invalid filter 'foo'" });
  assert.throws(() => found({ before: ['nope'] }), {
    kind: 'notFound',
    message: 'No such image: nope:latest',
  });
  assert.throws(() => found({ reference: ['['] }), /syntax error in pattern/);
});

test('Images: inspect gives complete values', async () => {
  await using s = await open();
  const id = await load(s, ['a:1'], {
    config: {
      created: '2026-01-01T00:00:00.5Z',
      author: 'me',
      variant: 'v8',
      config: { Cmd: ['x'], ExposedPorts: {}, Labels: { a: 'b' } },
    },
  });
  assert.deepEqual(s.engine.inspect('a:1'), {
    Id: id,
    RepoTags: ['a:1'],
    RepoDigests: [],
    Parent: '',
    Comment: '',
    Created: '2026-01-01T00:00:00.5Z',
    DockerVersion: '',
    Author: 'me',
    Config: {
      Cmd: ['x'],
      Entrypoint: null,
      Env: null,
      Labels: { a: 'b' },
      OnBuild: null,
      User: '',
      Volumes: null,
      WorkingDir: '',
    },
    Architecture: 'amd64',
    Variant: 'v8',
    Os: 'linux',
    Size: 3,
    GraphDriver: { Data: null, Name: 'vfs' },
    RootFS: { Type: 'layers', Layers: [...(s.images.get(id)?.config.diffIds ?? [])] },
    Metadata: { LastTagTime: '0001-01-01T00:00:00Z' },
  });
  assert.throws(() => s.engine.inspect('a:1', parsePlatform('linux/riscv64')), {
    kind: 'notFound',
    message:
      'image with reference a:1 was found but its platform (linux/amd64/v8) does not match the specified platform (linux/riscv64)',
  });
});

test('Images: history gives each step its size, and the steps of known parents their ids', async () => {
  await using s = await open();
  const [base, child] = await family(s);
  assert.deepEqual(s.engine.history('child:1'), [
    { Comment: '', Created: 0, CreatedBy: 'child', Id: child, Size: 0, Tags: ['child:1'] },
    { Comment: '', Created: 0, CreatedBy: 'base', Id: base, Size: 1, Tags: ['base:1'] },
  ]);
  await s.engine.remove('base:1', plain);
  assert.deepEqual(s.engine.history('child:1')[1]?.Tags, null);
  assert.deepEqual([...s.engine.family('base:1')], []);
  assert.deepEqual([...s.engine.family(base)], [base, child]);
});

test('Images: tag names an image, and refuses what cannot be a name', async () => {
  await using s = await open();
  const id = await load(s, ['a:1']);
  s.engine.tag('a:1', 'reg.example:5000/b', '');
  s.engine.tag('a:1', 'c:x', 'y');
  assert.deepEqual(s.engine.inspect('c:y').RepoTags, ['a:1', 'c:y', 'reg.example:5000/b:latest']);
  assert.notEqual(s.engine.inspect('c:y').Metadata.LastTagTime, '0001-01-01T00:00:00Z');
  assert.deepEqual(await s.seen(), ['tag reg.example:5000/b:latest', 'tag c:y']);
  const wrong: readonly (readonly [string, string, string])[] = [
    ['Bad', '', 'invalid reference format: repository name (library/Bad) must be lowercase'],
    ['b', 'a:b', 'invalid tag format'],
    [`b@${id}`, '', 'cannot import digest reference'],
    ['sha256', 'x', 'refusing to create an ambiguous tag using digest algorithm as name'],
    ['', '', 'invalid reference format'],
  ];
  for (const [repository, tag, message] of wrong) {
    assert.throws(() => s.engine.tag('a:1', repository, tag), { kind: 'invalid', message });
  }
  assert.throws(() => s.engine.tag('nope', 'b', ''), {
    kind: 'notFound',
    message: 'No such image: nope:latest',
  });
});

test('Images: prune removes dangling images, or with dangling=false all that are unused', async () => {
  await using s = await open();
  const dangling = await load(s, [], { content: 'dangling', config: { created: '2026-01-01T00:00:00Z' } });
  const used = await load(s, [], { content: 'used' });
  const named = await load(s, ['a:1', 'b:1'], { config: { config: { Labels: { keep: '' } } } });
  s.containers.set(used, [stopped]);
  const prune = (values: Record<string, string[]>): ReturnType<Images['prune']> =>
    s.engine.prune(filters(values), { signal });
  assert.deepEqual(await prune({ until: ['2025-01-01'] }), { ImagesDeleted: null, SpaceReclaimed: 0 });
  const first = await prune({});
  assert.deepEqual(
    [first.ImagesDeleted?.[0], first.SpaceReclaimed],
    [{ Deleted: dangling }, 'dangling'.length],
  );
  assert.equal((await prune({ dangling: ['false'], 'label!': ['keep'] })).ImagesDeleted, null);
  const all = await prune({ dangling: ['false'] });
  assert.deepEqual(all.ImagesDeleted?.slice(0, 3), [
    { Untagged: 'a:1' },
    { Untagged: 'b:1' },
    { Deleted: named },
  ]);
  assert.deepEqual(
    s.images.list().map(({ id }) => id),
    [used],
  );
  assert.equal((await s.seen()).at(-1), `prune ${'a:1,b:1'.length}`);
  await assert.rejects(prune({ foo: [] }), { kind: 'invalid', message: "invalid filter 'foo'" });
});

test('Images: import makes a named image, or none at all when a change is wrong', async () => {
  await using s = await open();
  const request: ImportRequest = {
    repository: 'imp',
    tag: '',
    message: '',
    changes: ['CMD ["sh"]', 'LABEL a=b'],
    platform: undefined,
    signal,
  };
  const archive = await tarOf({ f: 'x' });
  const id = await s.engine.import(streamOf(archive), request);
  const { Config, Comment, RepoTags } = s.engine.inspect(id);
  assert.deepEqual(
    [Config?.Cmd, Config?.Labels, Comment, RepoTags],
    [['sh'], { a: 'b' }, 'Imported from -', ['imp:latest']],
  );
  assert.deepEqual(await s.seen(), ['tag imp:latest', `import ${id}`]);
  const before = await s.footprint();
  const refuse = (change: Partial<ImportRequest>, message: string): Promise<void> =>
    assert.rejects(s.engine.import(streamOf(archive), { ...request, ...change }), {
      kind: 'invalid',
      message,
    });
  await refuse({ changes: ['RUN x'] }, 'RUN is not a valid change command');
  await refuse({ platform: parsePlatform('windows/amd64') }, 'operating system is not supported');
  await refuse({ tag: 'a b' }, 'invalid tag format');
  assert.deepEqual(await s.footprint(), before);
});

test('Images: save and load tell whom they were about', async () => {
  await using s = await open();
  const [base, child] = await family(s);
  const archive = Buffer.concat(
    await Array.fromAsync(s.engine.save(['base:1', 'child:1']), (chunk) => Buffer.from(chunk)),
  );
  assert.deepEqual(await s.engine.load(streamOf(archive), { platform: undefined, signal }), [
    { id: base, names: [{ name: 'base:1', previous: undefined }] },
    { id: child, names: [{ name: 'child:1', previous: undefined }] },
  ]);
  assert.deepEqual(await s.seen(), [`save ${base}`, `save ${child}`, `load ${base}`, `load ${child}`]);
  assert.throws(() => s.engine.save(['base:1'], parsePlatform('linux/riscv64')), /no suitable export target/);
});
