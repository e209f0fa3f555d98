import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { hostPlatform, parsePlatform } from '#/oci/platform.ts';
import type { CopyNode, ImageNode, PlanNode, RunNode } from '../plan/graph.ts';
import type { BuildContext } from '../request.ts';
import { buildConfig } from './build-config.ts';

const context: BuildContext = { name: 'context', open: () => assert.fail('nothing is fetched') };
const range = { start: { line: 3, column: 1 }, end: { line: 3, column: 9 } };

const image: ImageNode = {
  kind: 'image',
  digest: digestOf('image'),
  name: 'FROM base',
  reference: 'base',
  platform: parsePlatform('linux/arm/v7'),
};
const files: PlanNode = {
  kind: 'context',
  digest: digestOf('files'),
  name: 'files',
  context,
  wish: () => ({ excludes: ['*.log'], followPaths: ['a'] }),
};
const copy: CopyNode = {
  kind: 'copy',
  digest: digestOf('copy'),
  name: 'COPY',
  parent: image,
  place: '1',
  range,
  noCache: false,
  sources: [
    { kind: 'files', from: files, pattern: '/a' },
    { kind: 'inline', name: 'b', content: 'text', expands: false },
    { kind: 'url', url: 'https://me:hush@h/f?token=hush', checksum: 'sha256:1' },
    { kind: 'git', url: 'https://me:hush@h/r.git', keepGitDir: true, checksum: undefined },
  ],
  destination: '/in/',
  chown: 'me:us',
  chmod: undefined,
  excludes: [],
  parents: false,
  link: false,
  unpack: 'archives',
};
const run: RunNode = {
  kind: 'run',
  platform: hostPlatform(),
  digest: digestOf('run'),
  name: 'RUN',
  parent: copy,
  place: '2',
  range: undefined,
  noCache: false,
  run: {
    args: ['make'],
    env: ['A=1', 'http_proxy=http://me:hush@proxy'],
    cwd: '/in',
    user: 'me',
    network: { kind: 'none' },
    insecure: false,
  },
  mounts: [
    { kind: 'bind', from: files, path: '/sub', target: '/bound', writable: false },
    {
      kind: 'cache',
      from: undefined,
      path: '/',
      target: '/c',
      id: 'c',
      sharing: 'locked',
      readonly: false,
      uid: 0,
      gid: 0,
      mode: 0o755,
    },
    {
      kind: 'secret',
      id: 's',
      target: '/run/secrets/s',
      variable: 'S',
      required: true,
      uid: 0,
      gid: 0,
      mode: 0o400,
    },
  ],
  hiddenEnv: ['http_proxy'],
};

test('buildConfig: tells steps in an order in which they can be carried out, each once', () => {
  const { llbDefinition, digestMapping, locations } = buildConfig(run);
  assert.deepEqual(
    llbDefinition.map(({ id, inputs = [] }) => [id, ...inputs]),
    [
      ['step0'],
      ['step1'],
      ['step2'],
      ['step3'],
      ['step4'],
      ['step5', 'step0:0', 'step1:0', 'step2:0', 'step3:0', 'step4:0'],
      ['step6', 'step5:0', 'step1:0'],
      ['step7', 'step6:0'],
    ],
  );
  const ops = llbDefinition.map(({ op }) => JSON.parse(JSON.stringify(op)));
  assert.deepEqual(ops[0], {
    Op: { source: { identifier: 'docker-image://docker.io/library/base:latest' } },
    platform: { Architecture: 'arm', OS: 'linux', Variant: 'v7' },
  });
  assert.deepEqual(ops[1].Op.source.attrs, {
    'local.excludepatterns': '["*.log"]',
    'local.followpaths': '["a"]',
  });
  const { actions } = ops[5].Op.file;
  assert.deepEqual(
    actions.map(({ input, secondaryInput, output }: Record<string, number>) => [
      input,
      secondaryInput,
      output,
    ]),
    [
      [0, 1, -1],
      [5, 2, -1],
      [6, 3, -1],
      [7, 4, 0],
    ],
  );
  assert.deepEqual(actions[0].Action.copy.owner, {
    user: { User: { byName: { name: 'me' } } },
    group: { User: { byName: { name: 'us' } } },
  });
  const { exec } = ops[6].Op;
  assert.deepEqual(exec.meta, { args: ['make'], env: ['A=1'], cwd: '/in', user: 'me' });
  assert.equal(exec.network, 2);
  assert.deepEqual(exec.secretenv, [{ ID: 's', name: 'S', optional: false }]);
  assert.deepEqual(
    exec.mounts.map(({ input, dest, mountType = 0 }: Record<string, unknown>) => [input, dest, mountType]),
    [
      [0, '/', 0],
      [1, '/bound', 0],
      [-1, '/c', 3],
      [-1, '/run/secrets/s', 1],
    ],
  );
  assert.equal(digestMapping[run.digest], 'step6');
  assert.deepEqual([...locations], [['step5', range]]);
  assert.doesNotMatch(JSON.stringify(llbDefinition), /hush/);
});

test('buildConfig: an image without files has no steps', () => {
  assert.deepEqual(buildConfig(undefined).llbDefinition, []);
});
