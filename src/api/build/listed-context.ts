import type { ContextStore } from '#/builder/context/context-store.ts';
import type { ContextUpdate } from '#/builder/context/context-update.ts';
import type { ContextTree } from '#/builder/request.ts';
import { receiveContents, receiveList, type WantedFile } from './listed-files.ts';
import type { PendingFiles, SentContext } from './session.ts';

/** A context whose files the client has listed; the daemon has some of them from earlier builds. */
export class ListedContext implements PendingFiles {
  readonly wanted: readonly WantedFile[];
  readonly #update: ContextUpdate;

  private constructor(update: ContextUpdate, wanted: readonly WantedFile[]) {
    this.#update = update;
    this.wanted = wanted;
  }

  /** Takes the list. `key` names the directory that it is of, among all clients. Throws `invalid`, `tooLarge`. */
  static async receive(
    lines: AsyncIterable<Uint8Array>,
    { contexts, key, signal }: { contexts: Pick<ContextStore, 'update'>; key: string; signal: AbortSignal },
  ): Promise<ListedContext> {
    await using stack = new AsyncDisposableStack();
    const update = stack.use(await contexts.update(key, { signal }));
    const wanted = await receiveList(lines, update);
    stack.move();
    return new ListedContext(update, wanted);
  }

  async receive(bytes: AsyncIterable<Uint8Array>, onBytes: (bytes: number) => void): Promise<SentContext> {
    await using update = this.#update;
    await receiveContents(bytes, { wanted: this.wanted, update, onBytes });
    return sentTree(await update.finish());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#update[Symbol.asyncDispose]();
  }
}

/** A tree that can be opened as often as it is needed until it is disposed of. */
function sentTree(tree: ContextTree): SentContext {
  return {
    open: async () => ({ ...tree, [Symbol.asyncDispose]: () => Promise.resolve() }),
    [Symbol.asyncDispose]: () => tree[Symbol.asyncDispose](),
  };
}
