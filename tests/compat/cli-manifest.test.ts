/** `skiff manifest` beside docker's, with one folder of lists: what one begins the other goes on with. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { mediaTypes } from '#/oci/media-types.ts';
import { oldDocker } from '#tests/docker-cli.ts';
import { basicAuth, type FaultyRegistry, openFaultyRegistry } from '#tests/faulty-registry.ts';
import { tarOf } from '#tests/images.ts';
import { scratchDir } from '#tests/scratch-dir.ts';

const programs = { docker: 'docker', skiff: join(import.meta.dirname, '../../bin/skiff') } as const;
type Program = keyof typeof programs;

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A registry with an image for two machines, and both programs, each with a folder of its own or of the same name. */
async function withRegistry(
  run: (parts: {
    registry: FaultyRegistry;
    host: string;
    call: (program: Program, line: string, folder?: string) => Promise<Outcome>;
  }) => Promise<void>,
  options: Parameters<typeof openFaultyRegistry>[0] = {},
): Promise<void> {
  using dir = scratchDir();
  await using registry = await openFaultyRegistry(options);
  for (const [tag, config] of Object.entries({ amd: {}, arm: { architecture: 'arm64', variant: 'v8' } })) {
    registry.content.addImage('app', [await tarOf({ hello: tag })], { tag, config });
  }
  await run({
    registry,
    host: registry.host,
    call: (program, line, folder = program) =>
      new Promise((resolve, reject) => {
        const env = { ...process.env, DOCKER_CONFIG: dir.join(folder) };
        execFile(programs[program], line.split(' '), { env, timeout: 60_000 }, (error, out, err) => {
          const code = error === null ? 0 : error.code;
          if (typeof code === 'number') resolve({ code, out, err });
          else reject(error ?? new Error('no code'));
        });
      }),
  });
}

test('manifest create, annotate, inspect, push, rm print what docker prints', {
  skip: oldDocker,
}, async () => {
  await withRegistry(async ({ registry, host, call }) => {
    const { tags, manifests } = registry.content.repository('app');
    const listed = [...tags].map(([tag, digest]) => ({
      mediaType: mediaTypes.manifest,
      digest,
      size: manifests.get(digest)?.bytes.length,
      platform: { architecture: tag, os: 'linux' },
    }));
    registry.content.addIndex('app', listed, { tag: 'multi' });
    for (const line of [
      `manifest inspect --insecure ${host}/app:amd`,
      `manifest inspect --insecure -v ${host}/app:arm`,
      `manifest inspect --insecure ${host}/app:multi`,
      `manifest inspect --insecure --verbose ${host}/app:multi`,
      `manifest create --insecure ${host}/app:list ${host}/app:arm ${host}/app:amd`,
      `manifest create --insecure ${host}/app:list ${host}/app:amd`,
      `manifest create --insecure -a ${host}/app:list ${host}/app:amd`,
      `manifest annotate ${host}/app:list ${host}/app:arm --arch arm --variant v7 --os-version 1.2 --os-features a,b`,
      `manifest annotate ${host}/app:list ${host}/app:none --arch arm`,
      `manifest annotate ${host}/app:nolist ${host}/app:arm --arch arm`,
      `manifest annotate ${host}/app:list ${host}/app:arm --os plan10`,
      `manifest inspect ${host}/app:list`,
      `manifest inspect -v ${host}/app:list`,
      `manifest inspect ${host}/app:list ${host}/app:amd`,
      `manifest inspect -v ${host}/app:list ${host}/app:arm`,
      `manifest inspect ${host}/app:list ${host}/app:nope`,
      `manifest push --insecure ${host}/app:list`,
      `manifest push --insecure --purge ${host}/app:list`,
      `manifest push --insecure ${host}/app:list`,
      `manifest rm ${host}/app:list`,
      `manifest create --insecure ${host}/app:two ${host}/app:multi`,
      `manifest create --insecure other.invalid/app:two ${host}/app:amd`,
      'manifest push --insecure other.invalid/app:two',
      `manifest rm other.invalid/app:two ${host}/app:list`,
      `manifest create --insecure ${host}/other:list ${host}/app:amd`,
      `manifest push --insecure ${host}/other:list`,
      'manifest create BAD! other',
    ]) {
      const [ours, theirs] = await Promise.all([call('skiff', line), call('docker', line)]);
      assert.deepEqual(ours, theirs, line);
    }
  });
});

test('manifest lists of docker are those of skiff, and what both push is the same', {
  skip: oldDocker,
}, async () => {
  await withRegistry(async ({ registry, host, call }) => {
    const done = async (program: Program, line: string): Promise<string> => {
      const { code, out, err } = await call(program, line, 'shared');
      assert.equal(code, 0, err);
      return out;
    };
    const { tags, manifests } = registry.content.repository('app');
    for (const [first, second] of [
      ['docker', 'skiff'],
      ['skiff', 'docker'],
    ] as const) {
      await done(first, `manifest create --insecure ${host}/app:${first} ${host}/app:amd ${host}/app:arm`);
      await done(second, `manifest annotate ${host}/app:${first} ${host}/app:arm --variant v9`);
      await done(second, `manifest push --insecure --purge ${host}/app:${first}`);
    }
    assert.equal(tags.get('docker'), tags.get('skiff'));
    const list = manifests.get(tags.get('skiff') ?? '');
    assert.equal(list?.mediaType, mediaTypes.index);
    assert.equal(JSON.parse(list.bytes.toString()).manifests[1].platform.variant, 'v9');
  });
});

test('manifest push brings images of other repositories along, where they cannot be mounted too', async () => {
  await withRegistry(async ({ registry, host, call }) => {
    registry.faults.add({
      method: 'POST',
      path: 'mount=',
      fault: { kind: 'answer', answer: { status: 403 } },
    });
    await call('skiff', `manifest create ${host}/team/other:list ${host}/app:amd ${host}/app:arm`);
    const { code, err } = await call('skiff', `manifest push ${host}/team/other:list`);
    assert.equal(code, 0, err);
    const other = registry.content.repository('team/other');
    assert.deepEqual([other.manifests.size, other.blobs.size, other.uploads.size], [3, 4, 0]);
  });
});

test('manifest uses the credentials of the user, and says what is missing', async () => {
  await withRegistry(
    async ({ host, call }) => {
      assert.match(
        (await call('skiff', `manifest inspect ${host}/app:amd`)).err,
        /: no basic auth credentials\n$/,
      );
      const login = await call('skiff', `login -u joe -p hunter2 ${host}`);
      assert.equal(login.code, 0, login.err);
      const { code, out, err } = await call('skiff', `manifest inspect ${host}/app:amd`);
      assert.equal(code, 0, err);
      assert.match(out, /"schemaVersion": 2/);
      assert.match((await call('skiff', `manifest inspect ${host}/app:none`)).err, /^no such manifest: /);
      assert.match(
        (await call('skiff', 'manifest inspect 127.0.0.1:1/app:none')).err,
        /^Get "http:\/\/127\.0\.0\.1:1\/v2\/app\/manifests\/none": dial tcp 127\.0\.0\.1:1: connect: connection refused\n$/,
      );
    },
    { guard: basicAuth('joe', 'hunter2') },
  );
});
