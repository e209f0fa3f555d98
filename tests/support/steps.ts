import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import './own-network.ts';
import { Logger } from '#/base/log.ts';
import { CacheMounts } from '#/builder/cache/cache-mounts.ts';
import type { RunDefinition } from '#/builder/ops/run/definition.ts';
import { NetworkPool } from '#/builder/ops/run/network-pool.ts';
import { runStep } from '#/builder/ops/run/run.ts';
import type { StepParts } from '#/builder/ops/step-parts.ts';
import type { AuthSource, RunDefaults, SecretSource, SshSource } from '#/builder/request.ts';
import { makeBaseLayer } from '#/engine/containers/base-layer.ts';
import { detectCgroups } from '#/kernel/cgroup/layout.ts';
import { Networks } from '#/network/networks.ts';
import { defaultNetworkSettings } from '#/network/settings.ts';
import { Children } from '#/runtime/children.ts';
import { OciRuntime } from '#/runtime/crun.ts';
import { Database } from '#/state/db.ts';
import { openSnapshotter } from '#/storage/snapshots/open-snapshotter.ts';
import type { DriverName } from '#/storage/snapshots/snapshotter.ts';
import { copyTree } from '#/storage/tree/copy-tree.ts';
import { RuntimeFixture } from './oci-bundle.ts';

/** What a build without options asks for. */
export const runDefaults: RunDefaults = {
  network: { kind: 'default' },
  extraHosts: [],
  ulimits: [],
  shmSize: undefined,
  cgroupParent: undefined,
  resources: {},
};

/** A client without secrets, agents and accounts. */
export const noSecrets: SecretSource = { get: () => Promise.resolve(undefined) };
/** See `noSecrets`. */
export const noSsh: SshSource = {
  has: () => Promise.resolve(false),
  connect: () => {
    throw new Error('there is no agent');
  },
};
/** See `noSecrets`. */
export const noAuth: AuthSource = { credentials: () => Promise.resolve({ kind: 'anonymous' }) };

/** All that steps need, on folders of its own, with a committed snapshot `busybox`. */
export class StepFixture implements AsyncDisposable {
  readonly parts: StepParts;
  readonly dir: string;
  readonly db: Database;
  readonly #stack: AsyncDisposableStack;
  #steps = 0;

  private constructor(made: { parts: StepParts; dir: string; db: Database; stack: AsyncDisposableStack }) {
    this.parts = made.parts;
    this.dir = made.dir;
    this.db = made.db;
    this.#stack = made.stack;
  }

  static async open({ driver = 'overlay2' }: { driver?: DriverName } = {}): Promise<StepFixture> {
    await using stack = new AsyncDisposableStack();
    const box = stack.use(new RuntimeFixture());
    const db = stack.use(new Database(':memory:'));
    const base = join(box.dir, 'base');
    makeBaseLayer(base);
    const snapshots = await openSnapshotter({ root: join(box.dir, 'snapshots'), db, driver, base });
    await snapshots.prepare('making');
    await copyTree(box.rootfs, snapshots.upperDir('making'));
    await snapshots.commit('making', 'busybox');
    const log = new Logger({ level: 'fatal', format: 'text', write: () => {} });
    const networks = stack.use(
      new Networks({
        db,
        log,
        execRoot: box.dir,
        settings: { ...defaultNetworkSettings, forwarding: false },
      }),
    );
    networks.init();
    stack.defer(() => networks.tearDown());
    const runRoot = join(box.dir, 'steps');
    mkdirSync(runRoot);
    const cacheMounts = new CacheMounts({ db, root: join(box.dir, 'caches') });
    await cacheMounts.reconcile();
    const parts: StepParts = {
      snapshots,
      cacheMounts,
      runtime: await OciRuntime.open({ path: '/usr/bin/crun', root: box.runtimeRoot }),
      children: stack.use(new Children()),
      networks,
      neighboursIn: () => [],
      networkOf: () => 'new',
      cgroups: detectCgroups(),
      host: box.host,
      runRoot,
      expectMoves: () => {},
      defaults: {
        cgroupParent: box.cgroupParent,
        cgroupns: 'host',
        shmSize: 64 << 20,
        ulimits: [],
        dns: { servers: [], search: [], options: [] },
      },
    };
    return new StepFixture({ parts, dir: box.dir, db, stack: stack.move() });
  }

  /** Runs a line of shell on a new snapshot. The snapshot stays. */
  async shell(
    line: string,
    {
      definition = {},
      defaults = {},
      parent = 'busybox',
      secrets = noSecrets,
      ssh = noSsh,
      signal = new AbortController().signal,
      output: onOutput = () => {},
    }: {
      definition?: Partial<RunDefinition>;
      defaults?: Partial<RunDefaults>;
      parent?: string;
      secrets?: SecretSource;
      ssh?: SshSource;
      signal?: AbortSignal;
      output?: (text: string) => void;
    } = {},
  ): Promise<{ output: string; snapshot: string }> {
    const snapshot = `step-${++this.#steps}`;
    await this.parts.snapshots.prepare(snapshot, parent);
    using pool = new NetworkPool(this.parts);
    let output = '';
    await runStep(
      this.parts,
      {
        snapshot,
        definition: {
          args: ['sh', '-c', line],
          env: [],
          cwd: '/',
          user: '',
          network: { kind: 'none' },
          insecure: false,
          mounts: [],
          ...definition,
        },
        defaults: { ...runDefaults, ...defaults },
        sources: { secrets, ssh },
        pool,
      },
      {
        signal,
        output: (_stream, data) => {
          output += data.toString();
          onOutput(data.toString());
          return undefined;
        },
      },
    );
    return { output, snapshot };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}
