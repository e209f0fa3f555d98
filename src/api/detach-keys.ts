import { invalid } from '#/base/errors.ts';

/** What ctrl makes 0, 1, 2 … of. */
const controls = '@abcdefghijklmnopqrstuvwxyz[\\]^_';

/**
 * The bytes of a key sequence like `ctrl-p,ctrl-q` or `a,b`; undefined for an empty one, which means the default.
 * Throws `invalid` for keys that do not exist.
 */
export function parseDetachKeys(text: string): Buffer | undefined {
  if (text === '') return undefined;
  const bytes = text.split(',').map((key) => {
    if (key.length === 1 && key.charCodeAt(0) < 128) return key.charCodeAt(0);
    const control = /^ctrl-(.)$/i.exec(key)?.[1]?.toLowerCase();
    const code = control === undefined ? -1 : controls.indexOf(control);
    if (code < 0) throw invalid(`Invalid escape keys (${text}) provided`);
    return code;
  });
  return Buffer.from(bytes);
}
