const escapes: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

/** The text as a Go string literal (strconv.Quote): printable characters stay, others are escaped. */
export function goQuote(text: string): string {
  let out = '"';
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    const known = escapes[char];
    if (known !== undefined) out += known;
    else if (code < 0x20 || code === 0x7f) out += `\\x${code.toString(16).padStart(2, '0')}`;
    else if (code === 0x20 || /[\p{L}\p{M}\p{N}\p{P}\p{S}]/u.test(char)) out += char;
    else if (code < 0x10000) out += `\\u${code.toString(16).padStart(4, '0')}`;
    else out += `\\U${code.toString(16).padStart(8, '0')}`;
  }
  return `${out}"`;
}

const simple: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
  "'": "'",
};

/** What an escape without its backslash stands for. The other kind of quote needs none and may have none. */
function unescaped(escape: string, quote: string): string | undefined {
  const hex = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))$/.exec(escape);
  const digits = hex?.[1] ?? hex?.[2] ?? hex?.[3];
  const code =
    digits !== undefined
      ? Number.parseInt(digits, 16)
      : /^[0-7]{3}$/.test(escape)
        ? Number.parseInt(escape, 8)
        : -1;
  if (code >= 0 && code <= 0x10ffff) return String.fromCodePoint(code);
  return escape === (quote === '"' ? "'" : '"') ? undefined : simple[escape];
}

/** The text of a Go string, raw string or character literal (strconv.Unquote); `undefined` if it is none. */
export function goUnquote(literal: string): string | undefined {
  const body = literal.slice(1, -1);
  if (literal.startsWith('`')) return body.replaceAll('\r', '');
  let text = '';
  for (const [word] of body.matchAll(/\\(?:x..|u.{4}|U.{8}|[0-7]{3}|[^]?)|[^\\]+/gs)) {
    const char = word.startsWith('\\') ? unescaped(word.slice(1), literal.charAt(0)) : word;
    if (char === undefined) return undefined;
    text += char;
  }
  return literal.startsWith("'") && Array.from(text).length !== 1 ? undefined : text;
}
