import { build, builder } from './builder-tree.ts';
import { manifest, registry } from './registry-tree.ts';
import { type Entry, type Group, type Leaf, leaf } from './tree-node.ts';

/** The same command at the top of the tree, perhaps under another name. */
function top(child: Leaf, names: readonly string[] = child.names.slice(0, 1)): Leaf {
  return { ...child, names };
}

const attach = leaf(
  'attach',
  'Connect the terminal to the input and output of a running container',
  () => import('./commands/container/attach.ts'),
);
const create = leaf(
  'create',
  'Create a container without starting it',
  () => import('./commands/container/create.ts'),
);
const exec = leaf(
  'exec',
  'Run another command in a running container',
  () => import('./commands/container/exec.ts'),
);
const inspectContainer = leaf(
  'inspect',
  'Show everything about containers',
  () => import('./commands/container/inspect.ts'),
);
const kill = leaf(
  'kill',
  'Send a signal to running containers, SIGKILL by default',
  () => import('./commands/container/kill.ts'),
);
const logs = leaf('logs', 'Show what a container has written', () => import('./commands/container/logs.ts'));
const listContainers = leaf('ls list ps', 'List containers', () => import('./commands/container/ls.ts'));
const pause = leaf(
  'pause',
  'Freeze all processes of containers',
  () => import('./commands/container/pause.ts'),
);
const port = leaf(
  'port',
  'List the published ports of a container',
  () => import('./commands/container/port.ts'),
);
const rename = leaf(
  'rename',
  'Give a container another name',
  () => import('./commands/container/rename.ts'),
);
const restart = leaf(
  'restart',
  'Stop containers and start them again',
  () => import('./commands/container/restart.ts'),
);
const removeContainer = leaf('rm remove', 'Remove containers', () => import('./commands/container/rm.ts'));
const run = leaf(
  'run',
  'Create a container from an image and start it',
  () => import('./commands/container/run.ts'),
);
const start = leaf('start', 'Start stopped containers', () => import('./commands/container/start.ts'));
const stats = leaf(
  'stats',
  'Show the resources that containers use, live',
  () => import('./commands/container/stats.ts'),
);
const stop = leaf('stop', 'Stop running containers', () => import('./commands/container/stop.ts'));
const topProcesses = leaf(
  'top',
  'List the processes of a container',
  () => import('./commands/container/top.ts'),
);
const unpause = leaf(
  'unpause',
  'Thaw the processes of paused containers',
  () => import('./commands/container/unpause.ts'),
);
const wait = leaf(
  'wait',
  'Wait until containers stop and print their exit codes',
  () => import('./commands/container/wait.ts'),
);

const container: Group = {
  kind: 'group',
  names: ['container'],
  summary: 'Manage containers',
  children: [
    attach,
    create,
    exec,
    inspectContainer,
    kill,
    logs,
    listContainers,
    pause,
    port,
    leaf('prune', 'Remove all stopped containers', () => import('./commands/container/prune.ts')),
    rename,
    restart,
    removeContainer,
    run,
    start,
    stats,
    stop,
    topProcesses,
    unpause,
    wait,
  ],
};

const history = leaf('history', 'Show how an image was made', () => import('./commands/image/history.ts'));
const importImage = leaf(
  'import',
  'Make an image from a tarball of a file system',
  () => import('./commands/image/import.ts'),
);
const load = leaf(
  'load',
  'Load images from a tar archive or standard input',
  () => import('./commands/image/load.ts'),
);
const listImages = leaf('ls list', 'List images', () => import('./commands/image/ls.ts'));
const removeImage = leaf('rm remove', 'Remove images', () => import('./commands/image/rm.ts'));
const pull = leaf('pull', 'Download an image from a registry', () => import('./commands/image/pull.ts'));
const push = leaf('push', 'Upload an image to a registry', () => import('./commands/image/push.ts'));
const save = leaf(
  'save',
  'Write images to a tar archive, by default to standard output',
  () => import('./commands/image/save.ts'),
);
const tag = leaf('tag', 'Give an image another name', () => import('./commands/image/tag.ts'));

const image: Group = {
  kind: 'group',
  names: ['image'],
  summary: 'Manage images',
  children: [
    { ...build, names: ['build'] },
    history,
    importImage,
    leaf('inspect', 'Show everything about images', () => import('./commands/image/inspect.ts')),
    load,
    listImages,
    leaf('prune', 'Remove images that nothing uses', () => import('./commands/image/prune.ts')),
    pull,
    push,
    removeImage,
    save,
    tag,
  ],
};

const network: Group = {
  kind: 'group',
  names: ['network'],
  summary: 'Manage networks',
  children: [
    leaf('connect', 'Connect a container to a network', () => import('./commands/network/connect.ts')),
    leaf('create', 'Create a network', () => import('./commands/network/create.ts')),
    leaf(
      'disconnect',
      'Disconnect a container from a network',
      () => import('./commands/network/disconnect.ts'),
    ),
    leaf('inspect', 'Show everything about networks', () => import('./commands/network/inspect.ts')),
    leaf('ls list', 'List networks', () => import('./commands/network/ls.ts')),
    leaf('prune', 'Remove networks that nothing uses', () => import('./commands/network/prune.ts')),
    leaf('rm remove', 'Remove networks', () => import('./commands/network/rm.ts')),
  ],
};

const volume: Group = {
  kind: 'group',
  names: ['volume'],
  summary: 'Manage volumes',
  children: [
    leaf('create', 'Create a volume', () => import('./commands/volume/create.ts')),
    leaf('inspect', 'Show everything about volumes', () => import('./commands/volume/inspect.ts')),
    leaf('ls list', 'List volumes', () => import('./commands/volume/ls.ts')),
    leaf('prune', 'Remove volumes that nothing uses', () => import('./commands/volume/prune.ts')),
    leaf('rm remove', 'Remove volumes', () => import('./commands/volume/rm.ts')),
  ],
};

const events = leaf(
  'events',
  'Show what happens in the daemon, live',
  () => import('./commands/system/events.ts'),
);
const info = leaf(
  'info',
  'Show facts about the daemon and its host',
  () => import('./commands/system/info.ts'),
);

const system: Group = {
  kind: 'group',
  names: ['system'],
  summary: 'Look after the daemon',
  children: [
    leaf('df', 'Show disk usage', () => import('./commands/system/df.ts')),
    events,
    info,
    leaf('prune', 'Remove all that nothing uses', () => import('./commands/system/prune.ts')),
  ],
};

/** The whole command line. */
export const root: Group = {
  kind: 'group',
  names: ['skiff'],
  summary: 'Containers in TypeScript, with the commands you know',
  children: [
    { ...top(run), common: true },
    { ...top(exec), common: true },
    { ...top(listContainers, ['ps']), common: true },
    { ...top(build), common: true },
    { ...top(pull), common: true },
    { ...top(push), common: true },
    { ...top(listImages, ['images']), common: true },
    { ...leaf('login', 'Log in to a registry', () => import('./commands/login.ts')), common: true },
    {
      ...leaf('logout', 'Forget the credentials of a registry', () => import('./commands/logout.ts')),
      common: true,
    },
    { ...leaf('search', 'Search a registry for images', () => import('./commands/search.ts')), common: true },
    {
      ...leaf(
        'version',
        'Show the versions of the command and the daemon',
        () => import('./commands/system/version.ts'),
      ),
      common: true,
    },
    { ...top(info), common: true },
    builder,
    container,
    image,
    manifest,
    network,
    registry,
    system,
    volume,
    top(attach),
    leaf('completion', 'Print a completion script for bash', () => import('./commands/completion.ts')),
    top(create),
    top(events),
    top(history),
    top(importImage),
    leaf(
      'inspect',
      'Show everything about containers, images, networks and volumes',
      () => import('./commands/inspect.ts'),
    ),
    top(kill),
    top(load),
    top(logs),
    top(pause),
    top(port),
    top(rename),
    top(restart),
    top(removeContainer, ['rm']),
    top(removeImage, ['rmi']),
    top(save),
    top(start),
    top(stats),
    top(stop),
    top(tag),
    top(topProcesses),
    top(unpause),
    top(wait),
  ],
};

/** The child of that name. */
export function findChild(group: Group, name: string): Entry | undefined {
  return group.children.find((child) => child.names.includes(name));
}

/** All the ways to call a command, as people write them: `skiff container ls`, `skiff ps`. */
export function invocations(command: Leaf, group: Group = root): string[] {
  const prefix = group === root ? (root.names[0] ?? '') : `${root.names[0]} ${group.names[0]}`;
  const inner = group.children.flatMap((child) =>
    child.kind === 'group' ? invocations(command, child) : [],
  );
  const here = group.children.flatMap((child) =>
    child.kind === 'command' && child.load === command.load
      ? child.names.map((name) => `${prefix} ${name}`)
      : [],
  );
  return [...inner, ...here];
}
