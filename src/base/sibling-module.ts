import { extname } from 'node:path';

/**
 * The URL of a module that is started by itself, as worker threads are, and lies beside the caller's: as TypeScript in
 * `src`, as JavaScript in the bundle that `scripts/build-daemon` makes.
 *
 * `name` is without extension, `caller` the caller's `import.meta.url`.
 */
export function siblingModule(name: string, caller: string): URL {
  const url = new URL(caller);
  return new URL(`./${name}${extname(url.pathname)}`, url);
}
