import { spawnSync } from 'node:child_process';
import type { TerminalInput } from '../command.ts';

/** Makes a terminal raw until it is disposed of; does nothing with what is no terminal. */
export function rawMode(stdin: TerminalInput): Disposable {
  if (stdin.isTTY !== true || stdin.setRawMode === undefined) return { [Symbol.dispose]: () => {} };
  stdin.setRawMode(true);
  // The runtime's raw mode still turns LF into CR LF on output, which breaks full-screen programs. Without stty it
  // stays so. Leaving raw mode puts this back too.
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
  const restore = (): void => {
    stdin.setRawMode?.(false);
  };
  process.once('exit', restore);
  return {
    [Symbol.dispose]: () => {
      process.off('exit', restore);
      restore();
    },
  };
}
