import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DockerfileError } from '#/dockerfile/errors.ts';
import { parseDockerfile } from '#/dockerfile/parse.ts';
import type { ImageConfig } from '#/oci/image-config.ts';
import { hostPlatform, parsePlatform } from '#/oci/platform.ts';
import { buildRequest } from '#tests/builds.ts';
import type { BuildRequest } from '../request.ts';
import type { CopyNode, PlanNode, RunNode } from './graph.ts';
import { PlanSources } from './plan-sources.ts';
import { type BuildPlan, planBuild } from './planner.ts';

/** An image that only has a configuration. */
function image(config: ImageConfig['config'] = {}): ImageConfig {
  return {
    ...hostPlatform(),
    author: '',
    comment: '',
    dockerVersion: '',
    config,
    diffIds: [],
    history: [],
  };
}

async function plan(
  lines: readonly string[],
  {
    images = {},
    platform = hostPlatform(),
    ...change
  }: Partial<BuildRequest> & { images?: Record<string, ImageConfig>; platform?: BuildPlan['platform'] } = {},
): Promise<BuildPlan> {
  const request = buildRequest(change);
  const sources = new PlanSources(request, {
    excludes: [],
    lookup: ({ reference }) => Promise.resolve(images[reference] ?? image()),
  });
  const dockerfile = parseDockerfile(Buffer.from(lines.join('\n')));
  const findings = { stages: new Set<number>(), images: new Map() };
  return planBuild({ dockerfile, request, platform, sources, isMultiPlatform: false, findings });
}

/** The steps of the result's own stages, first to last. */
function stepsOf({ tree }: Pick<BuildPlan, 'tree'>): PlanNode[] {
  const steps: PlanNode[] = [];
  for (let node = tree; node !== undefined; node = 'parent' in node ? node.parent : undefined)
    steps.unshift(node);
  return steps;
}

function lastRun(made: BuildPlan): RunNode {
  assert.equal(made.tree?.kind, 'run');
  return made.tree as RunNode;
}

test('planBuild: ENV and ARG: the later one counts, an argument needs an ARG, defaults see what is before them', async () => {
  const made = await plan(
    [
      'ARG VERSION=1',
      'ARG BASE=base:$VERSION',
      'FROM $BASE',
      'RUN first',
      'ARG VERSION',
      'ARG NEXT=${VERSION}1',
      'ENV X=env Y=$NEXT',
      'ARG X=arg',
      'ENV NEXT=over',
      'RUN last',
    ],
    {
      args: new Map([
        ['VERSION', '2'],
        ['UNUSED', 'x'],
      ]),
      images: { 'base:2': image({ Env: ['IMG=i'] }) },
    },
  );
  const [base, first, last] = stepsOf(made);
  assert.equal(base?.kind === 'image' && base.reference, 'base:2');
  assert.deepEqual((first as RunNode).run.env, [
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'IMG=i',
  ]);
  assert.deepEqual((last as RunNode).run.env.slice(2), ['VERSION=2', 'NEXT=over', 'X=arg', 'Y=21']);
  assert.deepEqual(made.state.config.Env?.slice(1), ['IMG=i', 'X=env', 'Y=21', 'NEXT=over']);
  assert.deepEqual(made.unusedArgs, ['UNUSED']);
});

test('planBuild: proxies reach processes without an ARG, and nothing else', async () => {
  const made = await plan(['FROM base', 'RUN x'], { args: new Map([['http_proxy', 'http://p']]) });
  const run = lastRun(made);
  assert.deepEqual(run.hiddenEnv, ['http_proxy=http://p']);
  assert.ok(!run.run.env.some((entry) => entry.startsWith('http_proxy')));
  assert.deepEqual(made.unusedArgs, []);
  assert.ok(made.state.history.every(({ createdBy }) => !createdBy.includes('http://p')));
});

test('planBuild: platform arguments describe both sides', async () => {
  const made = await plan(
    ['FROM --platform=$BUILDPLATFORM base', 'ARG TARGETOS TARGETARCH TARGETVARIANT BUILDARCH', 'RUN x'],
    { platform: parsePlatform('linux/arm/v6') },
  );
  const { architecture } = hostPlatform();
  assert.deepEqual(lastRun(made).run.env.slice(1), [
    'TARGETOS=linux',
    'TARGETARCH=arm',
    'TARGETVARIANT=v6',
    `BUILDARCH=${architecture}`,
  ]);
  assert.equal(made.state.platform.architecture, architecture);
});

test('planBuild: a stage goes on where another one has ended; only needed stages are looked at', async () => {
  const made = await plan(
    [
      'FROM base AS one',
      'ARG A=1',
      'WORKDIR /w',
      'USER alice',
      'CMD ["one"]',
      'FROM broken AS unused',
      'RUN --mount=type=nonsense true',
      'FROM one',
      'ENTRYPOINT ["e"]',
      'RUN x',
    ].filter((line) => !line.includes('nonsense')),
  );
  const { run } = lastRun(made);
  assert.equal(run.cwd, '/w');
  assert.equal(run.user, 'alice');
  assert.ok(run.env.includes('A=1'));
  // An ENTRYPOINT resets the CMD that a stage has not set itself.
  assert.equal(made.state.config.Cmd, undefined);
  assert.deepEqual(
    made.instructions.map(({ text }) => text),
    [
      'FROM base AS one',
      'ARG A=1',
      'WORKDIR /w',
      'USER alice',
      'CMD ["one"]',
      'FROM one',
      'ENTRYPOINT ["e"]',
      'RUN x',
    ],
  );
  assert.deepEqual(
    stepsOf(made).map(({ name }) => name),
    ['[one 1/2] FROM docker.io/library/base:latest', '[one 2/2] WORKDIR /w', '[stage-2 1/1] RUN x'],
  );
});

test('planBuild: triggers of ONBUILD come before a stage’s own instructions, once', async () => {
  const images = { 'base:latest': image({ OnBuild: ['RUN trigger', 'ENV BY=trigger'] }) };
  const made = await plan(['FROM base AS a', 'RUN own $BY', 'FROM a', 'RUN later'], { images });
  assert.deepEqual(
    stepsOf(made).map(({ name }) => name),
    [
      '[a 1/2] FROM docker.io/library/base:latest',
      '[a 2/3] ONBUILD RUN trigger',
      '[a 3/3] RUN own trigger',
      '[stage-1 1/1] RUN later',
    ],
  );
  assert.equal(made.state.config.OnBuild, undefined);
});

test('planBuild: mounts have BuildKit’s defaults', async () => {
  const made = await plan([
    'FROM base AS src',
    'FROM base',
    'WORKDIR /w',
    'RUN --mount=type=cache,target=c --mount=type=secret,id=dir/key --mount=type=ssh --mount=from=src,target=/src,source=/x --mount=type=tmpfs,target=/t,size=1m x',
  ]);
  const access = { uid: 0, gid: 0 };
  assert.deepEqual(
    lastRun(made).mounts.map((mount) => (mount.kind === 'bind' ? { ...mount, from: undefined } : mount)),
    [
      {
        kind: 'cache',
        target: '/w/c',
        id: 'c',
        sharing: 'shared',
        from: undefined,
        path: '',
        readonly: false,
        mode: 0o755,
        ...access,
      },
      {
        kind: 'secret',
        id: 'dir/key',
        target: '/run/secrets/key',
        variable: undefined,
        required: false,
        mode: 0o400,
        ...access,
      },
      {
        kind: 'ssh',
        id: 'default',
        target: '/run/buildkit/ssh_agent.2',
        required: false,
        mode: 0o600,
        ...access,
      },
      { kind: 'bind', target: '/src', from: undefined, path: '/x', writable: false },
      { kind: 'tmpfs', target: '/t', size: 1 << 20 },
    ],
  );
});

test('planBuild: COPY knows its sources, and contexts send no more than is needed', async () => {
  const made = await plan([
    'FROM base AS s',
    'FROM base',
    'COPY a b/* ../../../c ./d/',
    'COPY --from=s --link /x /y',
    'COPY --from=img:1 / /z',
  ]);
  const [, first, second, third] = stepsOf(made) as [PlanNode, CopyNode, CopyNode, CopyNode];
  const [source] = first.sources;
  assert.equal(first.destination, '/d/');
  assert.ok(source?.kind === 'files' && source.from !== 'scratch' && source.from.kind === 'context');
  assert.deepEqual(source.from.wish(), { excludes: [], followPaths: ['a', 'b/*', 'c'] });
  const froms = [second, third].map(
    ({ sources: [from] }) => from?.kind === 'files' && from.from !== 'scratch' && from.from.kind,
  );
  assert.deepEqual(froms, ['image', 'image']);
  assert.equal(third.parent, second);
});

test('planBuild: what cannot be is told with its place', async () => {
  const cases: readonly (readonly [readonly string[], RegExp, number])[] = [
    [['FROM scratch', 'COPY a b /c'], /must be a directory and end with a \//, 2],
    [['FROM scratch', 'COPY --from=7 a /'], /invalid stage index 7/, 2],
    [['FROM scratch', 'STOPSIGNAL nonsense'], /invalid signal/, 2],
    [['FROM scratch', 'RUN --mount=type=bind,target=/ x'], /invalid mount target "\/"/, 2],
    [['FROM scratch', 'RUN --network=host x'], /network.host is not allowed/, 2],
    [['FROM --platform=$NOTHING base'], /empty platform value/, 1],
    [['FROM scratch', 'ENV A=${B?missing}'], /missing/, 2],
  ];
  for (const [lines, message, line] of cases) {
    await assert.rejects(plan(lines, { entitlements: new Set() }), (error) => {
      assert.ok(error instanceof DockerfileError, `${lines.join(' ')}: ${String(error)}`);
      assert.match(error.message, message);
      return error.range.start.line === line;
    });
  }
});
