import type { KeyDocument, KeyValue } from '../cache/key.ts';
import type { ContentWish } from '../ops/files/file-ops.ts';
import type { SourceTree } from '../ops/run/definition.ts';
import {
  type CopyInput,
  type CopyNode,
  type DirectoryNode,
  isLinked,
  type MountPlan,
  type RunNode,
  type StepNode,
  type TreeInput,
} from '../plan/graph.ts';
import type { RunDefaults, RunNetwork } from '../request.ts';

/** What keys of steps are made with. */
export interface KeyScope {
  readonly parent: string;
  readonly defaults: RunDefaults;
  /** Seconds since 1970; later times are not known to the result. */
  readonly epoch: number | undefined;
  readonly treeOf: (input: TreeInput) => SourceTree;
  /** `user:group` in numbers. */
  readonly ownerOf: (chown: string) => Promise<string>;
  /** Digest of what a copy takes of a tree. */
  readonly contentOf: (tree: SourceTree, wanted: ContentWish) => Promise<string>;
  /** Digest of what a download brings. */
  readonly downloadOf: (source: Extract<CopyInput, { readonly kind: 'url' | 'git' }>) => Promise<string>;
}

/** All that decides on the result of a step. Secrets are not among it, nor are limits. */
export async function keyDocument(node: StepNode, scope: KeyScope): Promise<KeyDocument> {
  const common = {
    ...(isLinked(node) ? {} : { parent: scope.parent }),
    ...(scope.epoch === undefined ? {} : { newest: scope.epoch }),
  };
  switch (node.kind) {
    case 'run':
      return { step: 'RUN', ...common, ...(await runDocument(node, scope)) };
    case 'copy':
      return { step: 'COPY', ...common, ...(await copyDocument(node, scope)) };
    case 'directory':
      return { step: 'WORKDIR', ...common, ...directoryDocument(node) };
    default:
      return node satisfies never;
  }
}

async function runDocument({ run, mounts }: RunNode, scope: KeyScope): Promise<KeyDocument> {
  const { args, env, cwd, user, network, insecure } = run;
  const { extraHosts, ulimits, shmSize } = scope.defaults;
  return {
    command: args,
    environment: Object.fromEntries(
      env.map((entry) => {
        const at = entry.indexOf('=');
        return [entry.slice(0, at), entry.slice(at + 1)];
      }),
    ),
    directory: cwd,
    user,
    network: networkText(network),
    ...(insecure ? { security: 'insecure' } : {}),
    ...(extraHosts.length === 0
      ? {}
      : { hosts: extraHosts.map(({ name, address }) => `${name}=${address}`) }),
    ...(ulimits.length === 0
      ? {}
      : { ulimits: ulimits.map(({ name, soft, hard }) => `${name}=${soft}:${hard}`) }),
    ...(shmSize === undefined ? {} : { shmSize }),
    ...(mounts.length === 0
      ? {}
      : { mounts: await Promise.all(mounts.map((mount) => mountDocument(mount, scope))) }),
  };
}

async function mountDocument(mount: MountPlan, scope: KeyScope): Promise<KeyValue> {
  switch (mount.kind) {
    case 'bind':
    case 'cache': {
      const { from, ...rest } = mount;
      const content = from === undefined ? null : await mountContent(from, mount.path, scope);
      return { ...rest, content };
    }
    case 'tmpfs':
      return { ...mount, size: mount.size ?? null };
    case 'secret':
      return { ...mount, target: mount.target ?? null, variable: mount.variable ?? null };
    case 'ssh':
    case 'file':
      return { ...mount };
    default:
      return mount satisfies never;
  }
}

/** A whole layer is known by its name. */
async function mountContent(from: TreeInput, path: string, scope: KeyScope): Promise<string> {
  const tree = scope.treeOf(from);
  const isWhole = /^[./]*$/.test(path);
  if (tree.kind === 'layer' && isWhole) return tree.chainId ?? 'scratch';
  return scope.contentOf(tree, { pattern: isWhole ? '/' : path, excludes: [], withDirectories: true });
}

async function copyDocument(node: CopyNode, scope: KeyScope): Promise<KeyDocument> {
  const { destination, chown, chmod, excludes, parents, link, unpack, sources } = node;
  // Who a name means is up to the layers below, which do not count by themselves then.
  const owner = link && chown !== undefined ? await scope.ownerOf(chown) : chown;
  return {
    destination,
    ...(owner === undefined ? {} : { owner }),
    ...(chmod === undefined ? {} : { mode: chmod }),
    ...(excludes.length === 0 ? {} : { excludes }),
    ...(parents ? { parents } : {}),
    ...(link ? { link } : {}),
    ...(unpack === 'never' ? {} : { unpack }),
    sources: await Promise.all(sources.map((source) => sourceDocument(source, node, scope))),
  };
}

async function sourceDocument(source: CopyInput, node: CopyNode, scope: KeyScope): Promise<KeyValue> {
  switch (source.kind) {
    case 'files': {
      const wish = { pattern: source.pattern, excludes: node.excludes, withDirectories: node.parents };
      return { files: source.pattern, content: await scope.contentOf(scope.treeOf(source.from), wish) };
    }
    case 'inline':
      return { file: source.name, content: source.content };
    case 'url':
      return { url: source.url, content: await scope.downloadOf(source) };
    case 'git':
      return { git: source.url, keepGitDir: source.keepGitDir, content: await scope.downloadOf(source) };
    default:
      return source satisfies never;
  }
}

function directoryDocument({ path, user }: DirectoryNode): KeyDocument {
  return { path, ...(user === '' ? {} : { user }) };
}

function networkText(network: RunNetwork): string {
  if (network.kind === 'named') return `named ${network.name}`;
  return network.kind === 'container' ? `container ${network.container}` : network.kind;
}
