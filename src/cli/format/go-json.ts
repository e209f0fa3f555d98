import {
  GoDuration,
  GoFloat,
  GoNil,
  GoStruct,
  GoTime,
  type GoValue,
  isList,
  isMap,
  sortedKeys,
} from './go-values.ts';

/** Integers from 2^53 on have at least 16 digits. */
const longInteger = /[:[,\s]-?\d{16,}\s*[,\]}]/;

/** Parses JSON from the daemon; integers beyond 2^53 become bigints. Throws a SyntaxError. */
export function parseJson(text: string): GoValue {
  if (!longInteger.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_key, value: unknown, context?: { readonly source?: string }) => {
    if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
    const source = context?.source ?? '';
    return /^-?\d+$/.test(source) ? BigInt(source) : value;
  });
}

function quote(text: string): string {
  return JSON.stringify(text).replace(/[\u2028\u2029]/g, (char) =>
    char === '\u2028' ? '\\u2028' : '\\u2029',
  );
}

/** JSON as Go's encoder writes it without HTML escaping. Maps made by the daemon keep its order of keys. */
export function toJson(value: GoValue): string {
  if (value === null || value instanceof GoNil) return 'null';
  if (typeof value === 'string') return quote(value);
  if (typeof value !== 'object') return String(value);
  if (value instanceof GoFloat) return String(value.value);
  if (value instanceof GoDuration) return String(value.nanoseconds);
  if (value instanceof GoTime) return quote(value.text);
  if (value instanceof GoStruct) return toJson(value.toJson());
  if (isList(value)) return `[${value.map(toJson).join(',')}]`;
  const keys = isMap(value) ? Object.keys(value) : sortedKeys(value);
  return `{${keys.map((key) => `${quote(key)}:${toJson(value[key] ?? null)}`).join(',')}}`;
}

/**
 * Indents a JSON text as Go's json.Indent does, without parsing the values: numbers and escapes stay as they are.
 * The text must be valid JSON.
 */
export function indentJson(text: string, indent: string): string {
  let out = '';
  let depth = 0;
  const newline = (): string => `\n${indent.repeat(depth)}`;
  const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;
  let opened = false;
  for (const [word] of text.matchAll(token)) {
    const closes = word === '}' || word === ']';
    if (closes) depth -= 1;
    if (closes ? !opened : opened) out += newline();
    opened = word === '{' || word === '[';
    if (opened) depth += 1;
    out += word;
    if (word === ',') out += newline();
    else if (word === ':') out += ' ';
  }
  return out;
}
