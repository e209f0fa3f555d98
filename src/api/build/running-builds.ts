/** Builds that can be cancelled by the ids that their clients chose. */
export class RunningBuilds {
  readonly #byId = new Map<string, AbortController>();

  /** The signal of a build, which aborts with `outer` or when the build is cancelled. An id that is in use is no id. */
  begin(id: string, outer: AbortSignal): Disposable & { readonly signal: AbortSignal } {
    if (id === '' || this.#byId.has(id)) return { signal: outer, [Symbol.dispose]: () => {} };
    const cancel = new AbortController();
    this.#byId.set(id, cancel);
    return {
      signal: AbortSignal.any([outer, cancel.signal]),
      [Symbol.dispose]: () => void this.#byId.delete(id),
    };
  }

  /** Cancels a build; nothing happens if there is none of that id. */
  cancel(id: string): void {
    this.#byId.get(id)?.abort(new Error('the build was cancelled'));
  }
}
