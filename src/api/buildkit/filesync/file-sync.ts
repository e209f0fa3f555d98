import { createHash } from 'node:crypto';
import { invalid } from '#/base/errors.ts';
import type { StatusSink } from '#/builder/progress.ts';
import type { BuildContext, ContextTree, ContextWish } from '#/builder/request.ts';
import { methodPath } from '../grpc/server.ts';
import { FileSync } from '../messages/filesync_pb.ts';
import type { ClientSession } from '../session/session.ts';
import { type ReceivingTree, receiveTree } from './receive.ts';

/** Keeps trees that clients sent, so that next time only what changed is sent. */
export interface TreeStore {
  /** Begins a tree; `key` names the one that it is compared with. */
  update(key: string, options: { readonly signal: AbortSignal }): Promise<TreeUpdate>;
}

/** A tree that is being received. Disposing of it before it is finished gives it up. */
interface TreeUpdate extends ReceivingTree, AsyncDisposable {
  /** All that was listed, and nothing else. */
  finish(): Promise<ContextTree>;
}

/** Whose directory it is; the session may come a little later. */
type FindSession = (options: { readonly signal: AbortSignal }) => Promise<ClientSession>;

/** How often progress is told, in bytes. */
const progressStep = 256 * 1024;

/** A directory of a client, which its session sends from. */
export class FileSyncContext implements BuildContext {
  readonly name: string;
  readonly #session: FindSession;
  readonly #trees: TreeStore;

  constructor(name: string, { session, trees }: { session: FindSession; trees: TreeStore }) {
    this.name = name;
    this.#session = session;
    this.#trees = trees;
  }

  async open(
    wish: ContextWish,
    { signal, progress }: { signal: AbortSignal; progress: StatusSink },
  ): Promise<ContextTree> {
    const { input, output } = FileSync.method.diffCopy;
    const method = { path: methodPath(FileSync.method.diffCopy), input, output };
    const session = await this.#session({ signal });
    if (!session.supports(method.path)) throw invalid('no local sources enabled');
    const report = reporter(this.name, progress);
    await using update = await this.#trees.update(this.#key(session, wish), { signal });
    using stream = session.rpc.stream(method, { signal, metadata: headersOf(this.name, wish) });
    await receiveTree(stream, update, report.at);
    const tree = await update.finish();
    report.end();
    return tree;
  }

  /**
   * Names what this tree is compared with: the same directory of the same client. Requests for single files are kept apart
   * from those for the whole, which would otherwise replace each other.
   */
  #key({ head }: ClientSession, { includes = [] }: ContextWish): string {
    const parts = [head.sharedKey === '' ? head.id : head.sharedKey, this.name, ...includes];
    return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
  }
}

/** What the client is told of the wish. */
function headersOf(name: string, wish: ContextWish): Record<string, string | string[]> {
  return {
    ...header('dir-name', [name]),
    ...header('exclude-patterns', wish.excludes),
    ...header('include-patterns', wish.includes ?? []),
    ...header('followpaths', wish.followPaths ?? []),
  };
}

/** One header for each value; what does not fit into headers is encoded, and said to be. */
function header(name: string, values: readonly string[]): Record<string, string | string[]> {
  if (values.length === 0) return {};
  const isPlain = values.every((value) => /^[!-~](?:[ -~]*[!-~])?$/.test(value));
  if (isPlain) return { [name]: [...values] };
  return { [name]: values.map((value) => encodeURIComponent(value)), [`${name}-encoded`]: '1' };
}

/** Tells how many bytes came, now and then, as BuildKit does. */
function reporter(name: string, progress: StatusSink): { at: (bytes: number) => void; end: () => void } {
  const id = `transferring ${name}:`;
  const started = new Date();
  let current = 0;
  let told = 0;
  progress({ id, current, total: 0, started });
  return {
    at: (bytes): void => {
      current = bytes;
      if (bytes - told < progressStep) return;
      told = bytes;
      progress({ id, current, total: 0, started });
    },
    end: (): void => progress({ id, current, total: 0, started, completed: new Date() }),
  };
}
