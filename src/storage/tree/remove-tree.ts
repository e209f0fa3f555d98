import { type ByteString, rawBytes } from '#/base/byte-string.ts';
import { isSystemError } from '#/base/errors.ts';
import { AT_REMOVEDIR, renameat2, unlinkat } from '#/kernel/at.ts';
import { Directory } from './directory.ts';
import { Pacer } from './pacer.ts';

/** Directories deeper than this are moved up first: their depth is up to whoever made them, our descriptors are not. */
const maxDepth = 64;

/** One directory on the way down, with what is still to be removed in it. */
interface Level {
  readonly name: ByteString;
  readonly directory: Directory;
  readonly names: ByteString[];
}

/**
 * Removes `name` in `parent` with everything below it; nothing is done if it does not exist. Never follows a link,
 * whatever is swapped in meanwhile, and copes with trees of any depth. Shares the event loop.
 */
export async function removeTree(parent: Directory, name: ByteString): Promise<void> {
  const pacer = new Pacer();
  for (const step of removalSteps(parent, name)) if (step && pacer.due) await pacer.turn();
}

/** `removeTree` in one go, for small trees in code that cannot wait. */
export function removeTreeSync(parent: Directory, name: ByteString): void {
  const steps = removalSteps(parent, name);
  while (steps.next().done !== true);
}

function* removalSteps(parent: Directory, name: ByteString): Generator<true, void, undefined> {
  if (removed(parent, name)) return;
  const levels: Level[] = [];
  let moved = 0;
  try {
    levels.push(opened(parent, name));
    for (let top = levels.at(-1); top !== undefined; top = levels.at(-1)) {
      const next = top.names.pop();
      if (next === undefined) {
        top.directory[Symbol.dispose]();
        levels.pop();
        unlinkat((levels.at(-1)?.directory ?? parent).fd, rawBytes(top.name), AT_REMOVEDIR);
      } else if (!removed(top.directory, next)) {
        const first = levels[0];
        if (levels.length < maxDepth || first === undefined) {
          levels.push(opened(top.directory, next));
        } else {
          moved += 1;
          const to = `.removing-${process.pid}-${moved}`;
          renameat2(
            { dirfd: top.directory.fd, path: rawBytes(next) },
            { dirfd: first.directory.fd, path: to },
          );
          first.names.push(to);
        }
      }
      yield true;
    }
  } finally {
    for (const level of levels) level.directory[Symbol.dispose]();
  }
}

function opened(parent: Directory, name: ByteString): Level {
  const directory = parent.child(name);
  return { name, directory, names: directory.names() };
}

/** Removes what is not a directory. False: it is one. */
function removed(parent: Directory, name: ByteString): boolean {
  try {
    unlinkat(parent.fd, rawBytes(name));
    return true;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return true;
    // POSIX says EPERM for a directory, Linux EISDIR.
    if (isSystemError(error, 'EISDIR')) return false;
    throw error;
  }
}
