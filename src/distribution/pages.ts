import type { IncomingMessage } from 'node:http';
import { tooLarge } from '#/base/errors.ts';
import { type Field, parseJson } from '#/oci/json.ts';
import { readBody } from './body.ts';
import type { Route } from './route.ts';

const maxPageBytes = 8 * 1024 * 1024;
const maxNames = 100_000;
const maxPages = 10_000;

/** Names that a registry lists page by page, each with a link to the next (RFC 8288, distribution-spec "Listing Tags"). */
export async function* listPages(
  route: Route,
  { path, member, signal }: { path: string; member: 'tags' | 'repositories'; signal: AbortSignal },
): AsyncGenerator<string, void, undefined> {
  const asked = new Set<string>();
  let next: string | undefined = path;
  while (next !== undefined) {
    if (asked.size >= maxPages) throw tooLarge(`the registry lists more than ${maxPages} pages of ${member}`);
    const page: string = next;
    asked.add(page);
    const { names, link } = await route.own(signal, async (send) => {
      const response = await send({ method: 'GET', path: page });
      const bytes = await readBody(response, { maxBytes: maxPageBytes });
      const document = parseJson(bytes, { what: `list of ${member}`, maxBytes: maxPageBytes });
      const found = document
        .get(member)
        .optional((field) => field.list(maxNames, (name) => nameIn(name, member)));
      return { names: found ?? [], link: nextLink(response, page) };
    });
    yield* names;
    // Pages that lead back to one that was asked for already would never end.
    next = link === undefined || asked.has(link) ? undefined : link;
  }
}

/** A name that can be one (distribution-spec, "Pulling manifests"); above all nothing that could do something to a terminal. */
function nameIn(field: Field, member: 'tags' | 'repositories'): string {
  const name = field.string();
  if (!patterns[member].test(name)) throw field.error(`not a name: ${JSON.stringify(name.slice(0, 100))}`);
  return name;
}

const patterns = {
  tags: /^\w[\w.-]{0,127}$/,
  // More than the specification allows, for registries take more.
  repositories: /^[\w./@+~-]{1,1000}$/,
} as const;

/** The next page (RFC 8288), as it is to be asked for: never on another host, and seen from the page with the link. */
export function nextLink({ headers }: IncomingMessage, page: string): string | undefined {
  const match = /<([^<>]+)>\s*;\s*rel="?next"?/i.exec(String(headers['link'] ?? ''));
  // What is relative to the repository stays so.
  const base = new URL(page, 'http://registry.invalid/repository/');
  if (match?.[1] === undefined || !URL.canParse(match[1], base)) return undefined;
  const { pathname, search } = new URL(match[1], base);
  return `${pathname.replace(/^\/repository\//, '')}${search}`;
}
