import './own-network.ts';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Logger } from '#/base/log.ts';
import type { BuildResult } from '#/builder/build.ts';
import type { StepDebugger } from '#/builder/debugger.ts';
import type { BuildEvent, VertexEvent } from '#/builder/progress.ts';
import type { BuildContext, BuildRequest } from '#/builder/request.ts';
import { loadConfig } from '#/daemon/config.ts';
import { type OpenEngine, openEngine } from '#/daemon/engine.ts';
import { parseFlags } from '#/daemon/flags.ts';
import { tearDown } from '#/daemon/teardown.ts';
import { detectCgroups } from '#/kernel/cgroup/layout.ts';
import { removeCgroup } from '#/kernel/cgroup/processes.ts';
import { parseReference, withDefaultTag } from '#/oci/reference.ts';
import { packTree } from '#/storage/archive/pack-tree.ts';
import { makeBusyboxRoot } from './busybox.ts';
import { noAuth, noSecrets, noSsh, runDefaults } from './steps.ts';

/** A directory as a context that is there already. */
export function directoryContext(root: string, name: string = 'context'): BuildContext {
  return { name, open: () => Promise.resolve({ root, [Symbol.asyncDispose]: () => Promise.resolve() }) };
}

/** A request without wishes; its context has nothing. */
export function buildRequest(change: Partial<BuildRequest>): BuildRequest {
  return {
    dockerfile: { kind: 'bytes', name: 'Dockerfile', bytes: Buffer.from('FROM scratch') },
    context: directoryContext('/var/empty'),
    namedContexts: new Map(),
    args: new Map(),
    target: undefined,
    platforms: [],
    noCache: false,
    noCacheStages: [],
    pull: false,
    labels: new Map(),
    run: runDefaults,
    secrets: noSecrets,
    ssh: noSsh,
    registryAuth: noAuth,
    outputs: [],
    cacheFrom: [],
    cacheTo: [],
    attestations: new Map(),
    squash: false,
    entitlements: new Set(['network.host']),
    explain: false,
    ...change,
  };
}

/** What a build said and made. */
export interface Built {
  readonly result: BuildResult;
  readonly events: readonly BuildEvent[];
  /** All output of steps. */
  readonly log: string;
  /** The last that was said of each vertex, by its name. */
  readonly vertices: ReadonlyMap<string, VertexEvent>;
}

/** An engine in this process, on folders of its own, with the image `busybox`. */
export class BuildBox implements AsyncDisposable {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'skb-'));
  #engine: OpenEngine | undefined;

  static async open(): Promise<BuildBox> {
    const box = new BuildBox();
    mkdirSync(join(box.dir, 'context'));
    await box.up();
    const root = makeBusyboxRoot(join(box.dir, 'busybox'));
    await box.engine.backend.images.import(packTree(root), {
      changes: ['CMD ["sh"]'],
      message: '',
      platform: undefined,
      repository: 'busybox',
      tag: 'latest',
      signal: new AbortController().signal,
    });
    return box;
  }

  get engine(): OpenEngine {
    if (this.#engine === undefined) throw new Error('it is down');
    return this.#engine;
  }

  get #input(): Parameters<typeof openEngine>[0] {
    writeFileSync(join(this.dir, 'daemon.json'), '{}');
    const config = loadConfig(
      parseFlags([
        `--data-root=${join(this.dir, 'data')}`,
        `--exec-root=${join(this.dir, 'run')}`,
        `--config-file=${join(this.dir, 'daemon.json')}`,
        `--cgroup-parent=/skiff-${basename(this.dir)}`,
      ]),
    );
    const log = new Logger({
      level: 'warn',
      format: 'text',
      write: (line) => process.stderr.write(line),
    });
    return { config, log, settings: () => config };
  }

  async up(): Promise<void> {
    for (const name of ['data', 'run']) mkdirSync(join(this.dir, name), { recursive: true });
    this.#engine = await openEngine(this.#input);
  }

  async down(): Promise<void> {
    await this.#engine?.[Symbol.asyncDispose]();
    this.#engine = undefined;
  }

  /** Puts files into the context. */
  files(files: Readonly<Record<string, string>>): void {
    for (const [name, content] of Object.entries(files)) {
      const path = join(this.dir, 'context', name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    }
  }

  /** Builds a Dockerfile with the context, and stores the image as `name`, if that is given. */
  async build(
    dockerfile: string,
    {
      name,
      signal = new AbortController().signal,
      onEvent = () => {},
      watcher,
      ...change
    }: Partial<BuildRequest> & {
      name?: string;
      signal?: AbortSignal;
      onEvent?: (event: BuildEvent) => void;
      watcher?: StepDebugger;
    } = {},
  ): Promise<Built> {
    const events: BuildEvent[] = [];
    const request = buildRequest({
      dockerfile: { kind: 'bytes', name: 'Dockerfile', bytes: Buffer.from(dockerfile) },
      context: directoryContext(join(this.dir, 'context')),
      outputs: [
        {
          kind: 'image',
          names: name === undefined ? [] : [withDefaultTag(parseReference(name))],
          options: new Map(),
        },
      ],
      ...change,
    });
    const progress = (event: BuildEvent): undefined => {
      events.push(event);
      onEvent(event);
      return undefined;
    };
    const result = await this.engine.backend.builder.build(request, { signal, progress, debugger: watcher });
    const logs = events.flatMap((event) => (event.kind === 'log' ? [event.data.toString()] : []));
    const vertices = new Map(
      events.flatMap((event) => (event.kind === 'vertex' ? [[event.name, event] as const] : [])),
    );
    return { result, events, log: logs.join(''), vertices };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
    await tearDown(this.#input);
    removeCgroup(detectCgroups(), `/skiff-${basename(this.dir)}`);
    rmSync(this.dir, { recursive: true });
  }
}
