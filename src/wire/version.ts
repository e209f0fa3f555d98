/** The newest version of the Engine API that Skiff speaks, and what it answers when none is asked for. */
export const apiVersion = '1.51';

/** The oldest version of the Engine API that Skiff speaks. */
export const minApiVersion = '1.24';

/** Negative if version `a` is older than `b`, 0 if they are the same; both like "1.41". */
export function compareVersions(a: string, b: string): number {
  const [aMajor = 0, aMinor = 0] = a.split('.').map(Number);
  const [bMajor = 0, bMinor = 0] = b.split('.').map(Number);
  return aMajor - bMajor || aMinor - bMinor;
}
