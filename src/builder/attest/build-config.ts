import { shownUrl } from '#/distribution/shown-url.ts';
import type { SourceRange } from '#/dockerfile/source.ts';
import type { Digest } from '#/oci/digest.ts';
import { canonicalString, parseReference, withDefaultTag } from '#/oci/reference.ts';
import type {
  ContextNode,
  CopyInput,
  CopyNode,
  DirectoryNode,
  ImageNode,
  MountPlan,
  PlanNode,
  RunNode,
  TreeInput,
} from '../plan/graph.ts';
import { originOf } from '../sources/remote-contexts.ts';

/** The steps of a build as provenances have them. */
export interface BuildConfig {
  /** In an order in which they can be carried out; the last one is the result. */
  readonly llbDefinition: readonly BuildStep[];
  /** Names of steps by what names them in the build. */
  readonly digestMapping: Readonly<Record<string, string>>;
  /** Where the Dockerfile asks for a step, by the step's name. */
  readonly locations: ReadonlyMap<string, SourceRange>;
}

interface BuildStep {
  readonly id: string;
  /** An operation in the JSON form of BuildKit's build graphs (solver/pb/ops.proto). */
  readonly op: object;
  /** `step0:0` is the first result of the step `step0`. */
  readonly inputs?: readonly string[];
}

/**
 * Describes what is done for a result in the words of BuildKit's build graphs, which tools that read provenances know. What a
 * variable is set to that steps get without the cache's knowledge is left out.
 */
export function buildConfig(result: PlanNode | undefined): BuildConfig {
  const steps = new Steps();
  if (result !== undefined) steps.end(steps.of(result));
  return steps;
}

/** Numbers of BuildKit's kinds of mounts, networks and ways to share a cache. */
const mountTypes = { secret: 1, ssh: 2, cache: 3, tmpfs: 4 } as const;
const networks = { default: 0, named: 0, container: 0, host: 1, none: 2 } as const;
const sharings = { shared: 0, private: 1, locked: 2 } as const;
/** Says that something has no input, or no output. */
const none = -1;

class Steps implements BuildConfig {
  readonly llbDefinition: BuildStep[] = [];
  readonly digestMapping: Record<string, string> = {};
  readonly locations = new Map<string, SourceRange>();
  readonly #ids = new Map<Digest, string>();

  /** The step of a node, with all that it needs before it. */
  of(node: PlanNode): string {
    const known = this.#ids.get(node.digest);
    if (known !== undefined) return known;
    const id = this.#step(node);
    this.#ids.set(node.digest, id);
    this.digestMapping[node.digest] = id;
    if ('range' in node && node.range !== undefined) this.locations.set(id, node.range);
    return id;
  }

  /** The step that says what the result is. */
  end(result: string): void {
    this.#add({}, [result]);
  }

  #add(op: object, inputs: readonly string[] = [], more: object = {}): string {
    const id = `step${this.llbDefinition.length}`;
    const from = inputs.map((input) => `${input}:0`);
    const members = { Op: op, ...more };
    this.llbDefinition.push({ id, op: members, ...(from.length > 0 && { inputs: from }) });
    return id;
  }

  #step(node: PlanNode): string {
    switch (node.kind) {
      case 'image':
        return this.#image(node);
      case 'context':
        return this.#context(node);
      case 'run':
        return this.#run(node);
      case 'copy':
        return this.#copy(node);
      case 'directory':
        return this.#directory(node);
      default:
        return node satisfies never;
    }
  }

  #image({ reference, platform, layout }: ImageNode): string {
    const identifier =
      layout === undefined
        ? `docker-image://${imageName(reference)}`
        : `oci-layout://${layout.name}@${reference}`;
    const { os: OS, architecture: Architecture, variant: Variant } = platform;
    const of = { platform: { Architecture, OS, ...(Variant !== '' && { Variant }) } };
    return this.#add({ source: { identifier } }, [], of);
  }

  #context({ context, wish }: ContextNode): string {
    const origin = originOf(context);
    if (origin !== undefined) return this.#add({ source: { identifier: origin.uri } });
    const { includes, excludes, followPaths } = wish();
    const attrs = {
      ...list('local.includepattern', includes),
      ...list('local.excludepatterns', excludes),
      ...list('local.followpaths', followPaths),
    };
    return this.#add({ source: { identifier: `local://${context.name}`, attrs } });
  }

  #run(node: RunNode): string {
    const { args, env, cwd, user, network, insecure } = node.run;
    const inputs = new Inputs();
    const root = { input: inputs.of(this.#tree(node.parent)), dest: '/' };
    const mounts = [root, ...node.mounts.flatMap((mount) => this.#mount(mount, inputs))];
    const secretenv = node.mounts.flatMap((mount) =>
      mount.kind === 'secret' && mount.variable !== undefined
        ? [{ ID: mount.id, name: mount.variable, optional: !mount.required }]
        : [],
    );
    const shown = env.filter((pair) => !node.hiddenEnv.includes(pair.slice(0, pair.indexOf('='))));
    const exec = {
      meta: { args, env: shown, cwd, ...(user !== '' && { user }) },
      mounts,
      ...(networks[network.kind] > 0 && { network: networks[network.kind] }),
      ...(insecure && { security: 1 }),
      ...(secretenv.length > 0 && { secretenv }),
    };
    return this.#add({ exec }, inputs.steps);
  }

  #mount(mount: MountPlan, inputs: Inputs): object[] {
    switch (mount.kind) {
      case 'bind': {
        const input = inputs.of(this.#tree(mount.from));
        const { path: selector, target: dest, writable } = mount;
        return [{ input, selector, dest, output: none, readonly: !writable }];
      }
      case 'cache': {
        const input = inputs.of(this.#tree(mount.from));
        const cacheOpt = { ID: mount.id, sharing: sharings[mount.sharing] };
        return [{ input, dest: mount.target, output: none, mountType: mountTypes.cache, cacheOpt }];
      }
      case 'tmpfs': {
        const TmpfsOpt = { size: mount.size ?? 0 };
        return [{ input: none, dest: mount.target, output: none, mountType: mountTypes.tmpfs, TmpfsOpt }];
      }
      case 'secret': {
        if (mount.target === undefined) return [];
        const { id: ID, target: dest, required } = mount;
        const secretOpt = { ID, ...access(mount), optional: !required };
        return [{ input: none, dest, output: none, mountType: mountTypes.secret, secretOpt }];
      }
      case 'ssh': {
        const { id: ID, target: dest, required } = mount;
        const SSHOpt = { ID, ...access(mount), optional: !required };
        return [{ input: none, dest, output: none, mountType: mountTypes.ssh, SSHOpt }];
      }
      case 'file': {
        const input = inputs.of(this.#file('/file', mount));
        return [{ input, selector: '/file', dest: mount.target, output: none, readonly: true }];
      }
      default:
        return mount satisfies never;
    }
  }

  #copy(node: CopyNode): string {
    const inputs = new Inputs();
    const base = inputs.of(this.#tree(node.parent));
    const sources = node.sources.map((source) => {
      const { step, path } = this.#source(source);
      return { input: inputs.of(step), path };
    });
    const actions = sources.map(({ input, path }, index) => ({
      // What an action begins with is what the one before it has made.
      input: index === 0 ? base : inputs.steps.length + index - 1,
      secondaryInput: input,
      output: index === sources.length - 1 ? 0 : none,
      Action: { copy: copyMembers(node, path) },
    }));
    return this.#add({ file: { actions } }, inputs.steps);
  }

  #source(source: CopyInput): { step: string | undefined; path: string } {
    switch (source.kind) {
      case 'files':
        return { step: this.#tree(source.from), path: source.pattern };
      case 'inline': {
        const path = `/${source.name}`;
        return { step: this.#file(path, { content: source.content, mode: 0o644 }), path };
      }
      case 'url': {
        const { checksum, url } = source;
        const attrs = checksum === undefined ? {} : { 'http.checksum': checksum };
        return { step: this.#add({ source: { identifier: shownUrl(new URL(url)), attrs } }), path: '/' };
      }
      case 'git': {
        const { checksum, url, keepGitDir } = source;
        const attrs = {
          ...(checksum !== undefined && { 'git.checksum': checksum }),
          ...(keepGitDir && { 'git.keepgitdir': 'true' }),
        };
        return { step: this.#add({ source: { identifier: `git://${shownGit(url)}`, attrs } }), path: '/' };
      }
      default:
        return source satisfies never;
    }
  }

  #directory({ parent, path }: DirectoryNode): string {
    const inputs = new Inputs();
    const input = inputs.of(this.#tree(parent));
    const mkdir = { path, mode: 0o755, makeParents: true, timestamp: -1 };
    const actions = [{ input, secondaryInput: none, output: 0, Action: { mkdir } }];
    return this.#add({ file: { actions } }, inputs.steps);
  }

  /** A file that the Dockerfile itself has, in a directory of its own. */
  #file(path: string, { content, mode }: { content: string; mode: number }): string {
    const mkfile = { path, mode, data: Buffer.from(content).toString('base64'), timestamp: -1 };
    const actions = [{ input: none, secondaryInput: none, output: 0, Action: { mkfile } }];
    return this.#add({ file: { actions } });
  }

  #tree(input: TreeInput | undefined): string | undefined {
    return input === undefined || input === 'scratch' ? undefined : this.of(input);
  }
}

/** The inputs of one step, each once. */
class Inputs {
  readonly steps: string[] = [];

  /** The number of an input; undefined is nothing. */
  of(step: string | undefined): number {
    if (step === undefined) return none;
    const index = this.steps.indexOf(step);
    return index < 0 ? this.steps.push(step) - 1 : index;
  }
}

function copyMembers({ destination, unpack, chown, chmod, excludes }: CopyNode, src: string): object {
  return {
    src,
    dest: destination,
    ...(chown !== undefined && { owner: ownerOf(chown) }),
    mode: none,
    ...(chmod !== undefined && { modeStr: chmod }),
    followSymlink: true,
    dirCopyContents: true,
    ...(unpack !== 'never' && { attemptUnpackDockerCompatibility: true }),
    createDestPath: true,
    allowWildcard: true,
    allowEmptyWildcard: true,
    timestamp: -1,
    ...(excludes.length > 0 && { excludePatterns: excludes }),
  };
}

/** `user` or `user:group`, by names or numbers of what is copied to. */
function ownerOf(chown: string): object {
  const [user = '', group] = chown.split(':');
  const named = (name: string): object => ({ User: { byName: { name } } });
  return { user: named(user), ...(group !== undefined && { group: named(group) }) };
}

function access({ uid, gid, mode }: { uid: number; gid: number; mode: number }): object {
  return { uid, gid, mode };
}

/** A list as attributes of sources have it. */
function list(name: string, values: readonly string[] | undefined): Record<string, string> {
  return values === undefined || values.length === 0 ? {} : { [name]: JSON.stringify(values) };
}

function imageName(reference: string): string {
  try {
    return canonicalString(withDefaultTag(parseReference(reference)));
  } catch {
    // An image by its id.
    return reference;
  }
}

/** Without what somebody may have put into it to be let in. */
function shownGit(url: string): string {
  return url.replace(/^(?:[a-z+]+:\/\/)?(?:[^@/]*@)?/i, '');
}
