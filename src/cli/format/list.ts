import { messageOf } from '#/base/errors.ts';
import { type GoMethod, GoStruct, type GoValue } from './go-values.ts';
import { alignColumns } from './tabwriter.ts';
import { Template } from './template.ts';

/** What a listing can show about one row. */
interface Column<T> {
  readonly header: string;
  readonly value: (row: T) => GoValue;
  /** Instead of the value in JSON. */
  readonly json?: (row: T) => GoValue;
}

/** The columns of a kind of listing, by the names that templates use. */
export interface ListKind<T> {
  /** Go's name of the type, for messages. */
  readonly type: string;
  readonly columns: Readonly<Record<string, Column<T>>>;
  readonly methods?: (row: T) => Readonly<Record<string, GoMethod>>;
}

/** A parsed `--format`. */
export interface ListFormat {
  readonly table: boolean;
  readonly template: Template;
}

/** How to read a `--format`. */
export interface FormatOptions {
  /** For no format at all, and for `table`: `table {{.A}}\t{{.B}}`. */
  readonly standard: string;
  /** `--quiet` was given: this instead of the table. */
  readonly quiet?: string | undefined;
  /** For `raw`. */
  readonly raw?: string;
}

/**
 * Parses the `--format` of a listing: nothing or `table`, `table TEMPLATE`, `json`, `raw` where there is one, or a
 * template. Throws `template parsing error: …`.
 */
export function parseListFormat(source: string, { standard, quiet, raw }: FormatOptions): ListFormat {
  const chosen =
    source === '' || source === 'table'
      ? (quiet ?? standard)
      : source === 'json'
        ? '{{json .}}'
        : source === 'raw' && raw !== undefined
          ? raw
          : source;
  const table = chosen.startsWith('table');
  const text = (table ? chosen.slice('table'.length) : chosen)
    .replace(/^ +| +$/g, '')
    .replaceAll('\\t', '\t')
    .replaceAll('\\n', '\n');
  return { table, template: parseTemplateOrThrow(text) };
}

/** A template; throws `template parsing error: …`. */
export function parseTemplateOrThrow(text: string, name = ''): Template {
  return withPrefix(() => new Template(text, name));
}

function withPrefix<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Error(`template parsing error: ${messageOf(error)}`, { cause: error });
  }
}

/** The text of a listing. Throws `template parsing error: …` if the template asks for what is not there. */
export function renderList<T>(
  kind: ListKind<T>,
  rows: readonly T[],
  { table, template }: ListFormat,
): string {
  const lines = rows.map((row) => withPrefix(() => template.execute(rowStruct(kind, row))));
  const body = lines.map((line) => `${line}\n`).join('');
  if (!table) return body;
  return alignColumns(`${headerLine(template, kind)}\n${body}`);
}

/** A label's header is its name, the last part of it if it has dots. */
const headerLabel: GoMethod = {
  params: ['string'],
  call: ([name]) => (typeof name === 'string' ? (name.split('.').at(-1) ?? '').replace(/[-_]/g, ' ') : ''),
};

function headerLine<T>(template: Template, { type, columns }: ListKind<T>): string {
  const headers = new Map(Object.entries(columns).map(([name, { header }]) => [name, header] as const));
  const methods = { Label: headerLabel };
  try {
    return template.execute(new GoStruct(type, headers, { methods, missing: null }), { header: true });
  } catch {
    // As with docker: a template that only works for rows leaves the header empty.
    return '';
  }
}

/** A row as templates see it. */
export function rowStruct<T>({ type, columns, methods }: ListKind<T>, row: T): GoStruct {
  const entries = Object.entries(columns).sort(([a], [b]) => (a < b ? -1 : 1));
  const fields = new Map(entries.map(([name, { value }]) => [name, () => value(row)] as const));
  const json = (): GoValue =>
    Object.fromEntries(entries.map(([name, column]) => [name, (column.json ?? column.value)(row)] as const));
  return new GoStruct(type, fields, {
    ...(methods !== undefined && { methods: methods(row) }),
    ...(entries.some(([, column]) => column.json !== undefined) && { json: json() }),
  });
}
