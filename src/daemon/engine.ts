import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Backend } from '#/api/backend.ts';
import { KeyedLocks } from '#/base/locks.ts';
import type { Logger } from '#/base/log.ts';
import { endLeftSteps } from '#/builder/ops/left-steps.ts';
import { Terminals } from '#/engine/containers/attach.ts';
import { Attachments } from '#/engine/containers/attachments.ts';
import { ContainerVolumes } from '#/engine/containers/container-volumes.ts';
import { Containers } from '#/engine/containers/containers.ts';
import { endAllContainers } from '#/engine/containers/end-all.ts';
import { Execs } from '#/engine/containers/execs.ts';
import { NetworkFiles } from '#/engine/containers/network-files.ts';
import { ContainerNetworking } from '#/engine/containers/networking.ts';
import { ContainerDirs, type ContainerParts, type Runtime } from '#/engine/containers/parts.ts';
import { liveContainers, reconcileContainers, startAtBoot } from '#/engine/containers/reconcile.ts';
import { Restarts } from '#/engine/containers/restarts.ts';
import { SharedMemory } from '#/engine/containers/shm.ts';
import { restartDelayed } from '#/engine/containers/start.ts';
import { stopForShutdown } from '#/engine/containers/stop.ts';
import { ContainerStore } from '#/engine/containers/store.ts';
import { requestFacts } from '#/engine/containers/validate.ts';
import { Waits } from '#/engine/containers/waits.ts';
import { diskUsage } from '#/engine/disk-usage.ts';
import { Events } from '#/engine/events.ts';
import { Images } from '#/engine/images.ts';
import { NetworkOperations } from '#/engine/networks.ts';
import { System } from '#/engine/system.ts';
import { Volumes } from '#/engine/volumes.ts';
import { CgroupMoves } from '#/kernel/cgroup/moves.ts';
import { warmThreadPool } from '#/kernel/namespaces.ts';
import { Networks } from '#/network/networks.ts';
import { Children } from '#/runtime/children.ts';
import { ExitWatcher } from '#/runtime/exit-watcher.ts';
import { readHostFacts } from '#/runtime/spec/host.ts';
import { Database } from '#/state/db.ts';
import { UnpackThreads } from '#/storage/archive/unpack-threads.ts';
import { ContentStore } from '#/storage/content/content-store.ts';
import { ImageStore } from '#/storage/images.ts';
import { LayerArchives } from '#/storage/layer-archives.ts';
import { Layers } from '#/storage/layers.ts';
import { TreeThreads } from '#/storage/tree/tree-threads.ts';
import { VolumeStore } from '#/storage/volumes.ts';
import { openBuildFiles } from './build-files.ts';
import { neighbours, openBuilder } from './builder.ts';
import { openBuildKit } from './buildkit.ts';
import { openClientBuilds } from './client-builds.ts';
import {
  hostDefaults,
  initPathOf,
  makeDirectories,
  networkSettings,
  openRuntimes,
  openSnapshots,
  prepareCgroups,
  systemFacts,
} from './foundation.ts';
import type { Config } from './options.ts';
import { openRegistries } from './registries.ts';
import { reloadAttributes } from './reload.ts';

/** What the daemon runs. Disposing of it leaves containers running. */
export interface RunningEngine extends AsyncDisposable {
  readonly backend: Backend;
  /** Tells that labels or debugging have changed. */
  reloaded(): void;
}

/** An engine whose containers have not been started yet. */
export interface OpenEngine extends RunningEngine {
  /** Starts the containers that their restart policy wants up. */
  startAtBoot(): Promise<void>;
  /** Ends all containers and takes away what the networks have in the kernel. Dispose of the engine next. */
  tearDown(): Promise<void>;
}

/** What an engine is made from. */
export interface EngineInput {
  readonly config: Config;
  readonly log: Logger;
  /** What a reload changes; ask each time. */
  readonly settings: () => Config;
}

/** Seconds that containers get to end, where they are not to go on without the daemon. */
const shutdownGrace = 4;
/** Group of containers' cgroups unless configured. */
const defaultCgroupParent = 'skiff';

/** The control group that those of the containers are in, unless they ask for another. */
export function cgroupParentOf({ cgroupParent }: Pick<Config, 'cgroupParent'>): string {
  return cgroupParent === '' ? defaultCgroupParent : cgroupParent;
}

/** Makes everything below the API and starts the containers that are to run. */
export async function buildEngine(input: EngineInput): Promise<RunningEngine> {
  const engine = await openEngine(input);
  await engine.startAtBoot();
  return engine;
}

/** Makes everything below the API, each part from those before it, and brings database and kernel into agreement. */
export async function openEngine({ config, log, settings }: EngineInput): Promise<OpenEngine> {
  await using stack = new AsyncDisposableStack();
  await warmThreadPool();
  const dirs = makeDirectories(config);
  const db = stack.use(new Database(join(config.dataRoot, 'state.db')));
  const cgroups = prepareCgroups();
  const host = readHostFacts({ cgroups, seccompProfile: config.seccompProfile });
  const events = new Events();

  const children = stack.use(new Children());
  const runtimes = await openRuntimes(config, dirs, { stack, children });
  const runtime = (runtimes.get(config.defaultRuntime) as Runtime).oci;
  const cgroupParent = cgroupParentOf(config);
  // Mounts of snapshots are taken away before snapshots are.
  await endLeftSteps({ runRoot: dirs.steps, runtime, cgroups, cgroupParent });
  const snapshots = await openSnapshots(config, db, log);
  const content = await ContentStore.open({ root: join(config.dataRoot, 'content') });
  const threads = stack.use(new UnpackThreads());
  const trees = stack.use(new TreeThreads());
  const layers = new Layers({ content, snapshots, threads, trees, db });
  await layers.reconcile();
  const imageStore = await ImageStore.open({ db, content, layers });
  const archives = new LayerArchives({
    policy: config.imageStorePolicy,
    content,
    layers,
    snapshots,
    threads,
    trees,
    db,
  });
  const imageParts = { images: imageStore, content, layers, archives };
  const volumeStore = await VolumeStore.open({ db, root: join(config.dataRoot, 'volumes') });

  const exits = stack.use(new ExitWatcher(dirs.exits));
  const networks = stack.use(
    new Networks({ db, log, execRoot: config.execRoot, settings: networkSettings(config) }),
  );
  networks.init();

  const store = new ContainerStore(db);
  const closing = new AbortController();
  const containerDirs = new ContainerDirs({
    dataRoot: config.dataRoot,
    data: dirs.containers,
    run: dirs.runs,
    exits: dirs.exits,
  });
  const dns = { servers: config.dns, search: config.dnsSearch, options: config.dnsOpts };
  const files = new NetworkFiles({ dirOf: (id) => containerDirs.dataOf(id), dns });
  const connections = new ContainerNetworking({ networks, store, events, files });
  const locks = new KeyedLocks();
  const cgroupMoves = new CgroupMoves(cgroups, (error) =>
    log.debug('cannot hasten changes of cgroups', { error: error.message }),
  );
  const parts: ContainerParts = {
    log,
    dirs: containerDirs,
    store,
    waits: new Waits(),
    locks,
    events,
    attachments: new Attachments(),
    terminals: new Terminals((id) => containerDirs.runOf(id)),
    images: imageStore,
    layers,
    snapshots,
    volumes: new ContainerVolumes({ store: volumeStore, events }),
    networks: connections,
    runtimes,
    exits,
    restarts: new Restarts((id) => restartDelayed(parts, id)),
    shm: new SharedMemory(dirs.shm),
    cgroups,
    cgroupMoves,
    host,
    requestFacts: requestFacts(runtimes.keys(), host.cgroupSupport),
    imageFamily: (ref) => images.family(ref),
    execIdsOf: (id) => execs.idsOf(id),
    forgetExecs: (id) => execs.forget(id),
    closing: closing.signal,
    initPath: initPathOf(config),
    cgroupParent,
    defaults: hostDefaults(config, cgroups),
  };
  const execs = new Execs(parts);
  const containers = new Containers(parts);
  const images = new Images({ ...imageParts, users: store, events, driver: snapshots.driver });
  const { registries, pull, uploads, client } = openRegistries(imageParts, { db, events, settings });
  const volumes = new Volumes({ store: volumeStore, events });
  const close = async (): Promise<void> => {
    parts.restarts.close();
    if (!config.liveRestore) await stopForShutdown(parts, shutdownGrace);
    closing.abort(new Error('the daemon is ending'));
  };
  stack.defer(close);

  for (const { containerId, port } of networks.reconcile(liveContainers(parts))) {
    log.warn('another program took a published port while no daemon ran', { id: containerId, ...port });
  }
  await reconcileContainers(parts);
  volumeStore.reconcile({ containers: new Set(store.all().map(({ id }) => id)) });
  const { shmSize, ulimits, cgroupns } = parts.defaults;
  const buildFiles = await openBuildFiles(join(config.dataRoot, 'builder'), stack);
  const builder = await openBuilder(
    config,
    {
      steps: {
        snapshots,
        runtime,
        children,
        networks,
        neighboursIn: (network) => neighbours(networks.endpointsIn(network), store),
        networkOf: (container) => connections.namespaceOf(container),
        cgroups,
        host,
        runRoot: dirs.steps,
        expectMoves: () => cgroupMoves.expect(),
      },
      defaults: { cgroupParent, cgroupns: cgroupns === 'host' ? 'host' : 'private', shmSize, ulimits, dns },
      files: buildFiles,
      pull,
      uploads,
      trees,
      client,
      db,
      log,
      onStored: (added) => images.built(added),
    },
    stack,
  );
  const builds = await openClientBuilds(
    { root: join(config.dataRoot, 'builder'), contexts: buildFiles.contexts },
    stack,
  );
  const facts = systemFacts(config, { runtimes, cgroups, host, snapshots });
  const system = new System({ facts, settings, containers: store, images: imageStore, events });
  const owned = stack.move();
  return {
    backend: {
      containers,
      execs,
      images,
      registries,
      volumes,
      networks: new NetworkOperations({ networks, connections, containers: store, locks, events }),
      events,
      builder,
      buildkit: openBuildKit({
        id: facts.id,
        builder,
        db,
        builds,
        networks,
        trees: buildFiles.contexts,
        log,
      }),
      builds,
      system: {
        builderVersion: config.features['buildkit'] === false ? '1' : '2',
        info: () => system.info(),
        version: () => system.version(),
        diskUsage: (kinds) => diskUsage({ images, layers, archives, containers, volumes }, kinds),
      },
    },
    reloaded: () => {
      const attributes = { ...reloadAttributes(settings()), name: hostname() };
      events.publish({ type: 'daemon', action: 'reload', actor: { id: facts.id, attributes } });
    },
    startAtBoot: () => startAtBoot(parts),
    tearDown: async () => {
      await close();
      await endAllContainers(parts);
      networks.tearDown();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
