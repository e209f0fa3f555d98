import { setTimeout as sleep } from 'node:timers/promises';
import type { TerminalSize } from '#/client/containers.ts';
import type { Output } from '../command.ts';

/** The size of a terminal, 0 by 0 for what is none. */
export function terminalSize({ rows, columns }: Output): TerminalSize {
  return { height: rows, width: columns };
}

const attempts = 10;

/** Tells the container's terminal the size of ours, now and whenever it changes, until it is disposed. */
export function followSize(output: Output, resize: (size: TerminalSize) => Promise<void>): Disposable {
  const now = async (): Promise<boolean> => {
    const size = terminalSize(output);
    if (size.height === 0 && size.width === 0) return true;
    return resize(size).then(
      () => true,
      // The process may not have started yet, or have ended already.
      () => false,
    );
  };
  const controller = new AbortController();
  const first = async (): Promise<void> => {
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      if (controller.signal.aborted || (await now())) return;
      await sleep(attempt * 10);
    }
  };
  void first();
  const changed = (): void => void now();
  process.on('SIGWINCH', changed);
  return {
    [Symbol.dispose]() {
      controller.abort();
      process.off('SIGWINCH', changed);
    },
  };
}
