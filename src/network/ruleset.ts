import { type TableContents, wholeTable } from './rules.ts';

/**
 * How many rules each chain has and how many elements each set and map. Enough to see that somebody has flushed or
 * deleted something; whoever edits single rules of the table by hand is left alone.
 */
export interface Census {
  readonly rules: Readonly<Record<string, number>>;
  readonly elements: Readonly<Record<string, number>>;
}

/** What `wholeTable` makes of the contents. */
export function expectedCensus(contents: TableContents): Census {
  const text = wholeTable(contents);
  const rules: Record<string, number> = {};
  for (const [, chain = '', body = ''] of text.matchAll(
    /^ {2}chain (\w+) \{\n([^}]*(?:\{[^}]*\}[^}]*)*?)^ {2}\}$/gm,
  )) {
    rules[chain] = body.split('\n').filter((line) => line !== '' && !line.includes(' hook ')).length;
  }
  const elements: Record<string, number> = {};
  for (const [, kind = '', body = ''] of text.matchAll(
    /^ {2}(?:set|map) (\w+) \{\n([^}]*(?:\{[^}]*\})?[^}]*)^ {2}\}$/gm,
  )) {
    elements[kind] = /elements = \{ (.*) \}/.exec(body)?.[1]?.split(', ').length ?? 0;
  }
  return { rules, elements };
}

/** What nft lists of the table (`-j list table ip skiff`). */
export function censusOf(listing: unknown): Census {
  const rules: Record<string, number> = {};
  const elements: Record<string, number> = {};
  for (const { chain, rule, set, map } of objectsIn(listing)) {
    if (chain !== undefined) rules[String(chain['name'])] = 0;
    if (rule !== undefined) rules[String(rule['chain'])] = (rules[String(rule['chain'])] ?? 0) + 1;
    const holder = set ?? map;
    if (holder !== undefined) {
      elements[String(holder['name'])] = Array.isArray(holder['elem']) ? holder['elem'].length : 0;
    }
  }
  return { rules, elements };
}

/** Base chains of other tables (in `-j list chains ip`) that drop forwarded packets by policy. */
export function foreignDrops(listing: unknown): string[] {
  return objectsIn(listing).flatMap(({ chain }) => {
    if (chain?.['hook'] !== 'forward' || chain['policy'] !== 'drop' || chain['table'] === 'skiff') return [];
    return [`table ${String(chain['family'])} ${String(chain['table'])}, chain ${String(chain['name'])}`];
  });
}

type Fields = Readonly<Record<string, unknown>>;

/** The entries of `{"nftables": [{"chain": {…}}, {"rule": {…}}, …]}`. */
function objectsIn(listing: unknown): Readonly<Record<string, Fields | undefined>>[] {
  if (typeof listing !== 'object' || listing === null || !('nftables' in listing)) return [];
  return Array.isArray(listing.nftables) ? listing.nftables : [];
}
