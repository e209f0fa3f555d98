import { unavailable } from '#/base/errors.ts';
import { parseJson } from '#/oci/json.ts';
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
  let next: string | undefined = path;
  for (let page = 0; next !== undefined; page += 1) {
    if (page >= maxPages) throw unavailable(`the registry lists more than ${maxPages} pages of ${member}`);
    const asked: string = next;
    const { names, link } = await route.own(signal, async (send) => {
      const response = await send({ method: 'GET', path: asked });
      const bytes = await readBody(response, { maxBytes: maxPageBytes });
      const document = parseJson(bytes, { what: `list of ${member}`, maxBytes: maxPageBytes });
      const found = document.get(member).optional((field) => field.list(maxNames, (name) => name.string()));
      return { names: found ?? [], link: nextLink(response.headers['link'] ?? '') };
    });
    yield* names;
    // A page that leads to itself would never end.
    next = names.length === 0 || link === asked ? undefined : link;
  }
}

/** The path of the next page: never on another host. */
function nextLink(header: string | readonly string[]): string | undefined {
  const match = /<([^<>]+)>\s*;\s*rel="?next"?/i.exec(String(header));
  const base = 'http://registry.invalid';
  if (match?.[1] === undefined || !URL.canParse(match[1], base)) return undefined;
  const { pathname, search } = new URL(match[1], base);
  return `${pathname}${search}`;
}
