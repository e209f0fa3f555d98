import type { GoMethod } from './go-values.ts';

/** An identifier as listings show it: 12 digits, without the algorithm. */
export function truncateId(id: string): string {
  return id.slice(id.indexOf(':') + 1).slice(0, 12);
}

/** The way to show identifiers: short, or whole with --no-trunc. */
export function idFormatter(truncate: boolean): (id: string) => string {
  return truncate ? truncateId : (id) => id;
}

/** The name of an image as people write it: without the default registry and its `library/`, without a digest. */
export function familiarImage(name: string): string {
  const tagged = name.replace(/@.*/s, '');
  const path = tagged.replace(/^(?:index\.)?docker\.io\//, '');
  return path === tagged ? tagged : path.replace(/^library\/(?=[^/]+$)/, '');
}

/** Labels as listings show them: `a=1,b=2`, sorted. */
export function joinLabels(labels: Readonly<Record<string, string>> | null): string {
  return Object.entries(labels ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(',');
}

/** Compares names as people count: `c9` before `c10`. */
export function naturalOrder(a: string, b: string): number {
  const split = (text: string): string[] => text.match(/\d+|\D+/g) ?? [];
  const [partsA, partsB] = [split(a), split(b)];
  for (const [index, part] of partsA.entries()) {
    const other = partsB[index];
    if (other === undefined) return 1;
    if (part === other) continue;
    const bothNumbers = /^\d/.test(part) && /^\d/.test(other);
    const order = bothNumbers ? Number(part) - Number(other) : 0;
    if (order !== 0) return order;
    if (part !== other) return part < other ? -1 : 1;
  }
  return partsA.length - partsB.length;
}

/** The method `Label` of listings: the value of one label, empty if there is none. */
export function labelMethod(labels: Readonly<Record<string, string>> | null): GoMethod {
  return { params: ['string'], call: ([name]) => (typeof name === 'string' ? (labels?.[name] ?? '') : '') };
}
