/** One way to authenticate that a server offers (RFC 9110, section 11.6.1). */
export interface Challenge {
  /** In lower case: `basic`, `bearer`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
  /** The address of the server, where it is known. */
  readonly from?: string | undefined;
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const parameter = new RegExp(`^(${token})\\s*=\\s*(?:(${token})|"((?:[^"\\\\]|\\\\.)*)")`);
const schemeStart = new RegExp(`^(${token})(?:\\s+|$|,)`);
/** Longer than any honest header. Characters. */
const maxLength = 8192;

/** What a header `WWW-Authenticate` offers; what cannot be read is left out, with all that follows it. */
export function parseChallenges(header: string): Challenge[] {
  const found: { scheme: string; parameters: Map<string, string> }[] = [];
  let rest = header.slice(0, maxLength);
  for (;;) {
    rest = rest.replace(/^[\s,]+/, '');
    if (rest === '') return found;
    const pair = parameter.exec(rest);
    const current = found.at(-1);
    if (pair !== null && current !== undefined) {
      const [whole, name = '', bare, quoted = ''] = pair;
      const key = name.toLowerCase();
      // The first of several equal names counts.
      if (!current.parameters.has(key)) {
        current.parameters.set(key, bare ?? quoted.replace(/\\(.)/g, '$1'));
      }
      rest = rest.slice(whole.length);
      continue;
    }
    const start = schemeStart.exec(rest);
    if (start === null) return found;
    found.push({ scheme: (start[1] ?? '').toLowerCase(), parameters: new Map() });
    rest = rest.slice((start[1] ?? '').length);
  }
}
