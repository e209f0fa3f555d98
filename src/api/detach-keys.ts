import { invalid } from '#/base/errors.ts';

/** What ctrl makes 0, 1, 2 … of. */
const controls = '@abcdefghijklmnopqrstuvwxyz[\\]^_';

/**
 * The bytes of a key sequence like `ctrl-p,ctrl-q` or `a,b`; undefined for an empty one, which means the default.
 * Throws `invalid` for keys that do not exist; attach and exec name them differently.
 */
export function parseDetachKeys(text: string, what: 'detach' | 'escape'): Buffer | undefined {
  if (text === '') return undefined;
  const bytes = text.split(',').map((key) => {
    if (key.length === 1 && key.charCodeAt(0) < 128) return key.charCodeAt(0);
    const control = /^ctrl-(.)$/.exec(key)?.[1];
    const code = control === undefined ? -1 : controls.indexOf(control);
    if (code < 0) throw invalid(`Invalid ${what} keys (${text}) provided`);
    return code;
  });
  return Buffer.from(bytes);
}
