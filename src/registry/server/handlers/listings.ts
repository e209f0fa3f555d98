import { mediaTypes } from '#/oci/media-types.ts';
import type { Call } from '../call.ts';
import { methodUnsupported, nameUnknown, unsupported } from '../errors.ts';
import type { Referrer } from '../metadata/metadata.ts';
import { checkDigest } from '../names.ts';
import type { Services } from '../services.ts';

/** Elements of one answer at most; further ones come with the `Link` of the answer. */
const maxPage = 10_000;
/** Bytes of one answer of the referrers API: clients accept no larger index. */
const maxReferrerBytes = 3 * 1024 * 1024;

/** `/v2/<name>/tags/list` (end-8a, end-8b). */
export async function handleTags(services: Services, call: Call, repository: string): Promise<void> {
  readOnly(call);
  call.require('list', repository);
  if (!(await services.metadata.hasRepository(repository))) throw nameUnknown(repository);
  const wanted = limitOf(call);
  const after = call.query.get('last') ?? '';
  // One more tells whether there are more.
  const found = await services.metadata.manifests.tags(repository, { after, limit: wanted + 1 });
  const tags = found.slice(0, wanted);
  call.json({ name: repository, tags }, next(call, found.length > wanted ? tags.at(-1) : undefined));
}

/** `/v2/_catalog`: the repositories that the user may list. */
export async function handleCatalog(services: Services, call: Call): Promise<void> {
  readOnly(call);
  call.require('list');
  const wanted = limitOf(call);
  const found: string[] = [];
  let after = call.query.get('last') ?? '';
  while (wanted > 0 && found.length <= wanted) {
    const page = await services.metadata.repositories({ after, limit: maxPage });
    found.push(...page.filter((repository) => call.may('list', repository)));
    if (page.length < maxPage) break;
    after = page.at(-1) ?? after;
  }
  const repositories = found.slice(0, wanted);
  call.json({ repositories }, next(call, found.length > wanted ? repositories.at(-1) : undefined));
}

/** `/v2/<name>/referrers/<digest>` (end-12a, end-12b). */
export async function handleReferrers(
  services: Services,
  call: Call,
  { repository, last }: { readonly repository: string; readonly last: string },
): Promise<void> {
  readOnly(call);
  call.require('pull', repository);
  const subject = checkDigest(last);
  const artifactType = call.query.get('artifactType') ?? undefined;
  const limit = limitOf(call);
  const found = await services.metadata.manifests.referrers(repository, subject, {
    after: call.query.get('last') ?? '',
    limit: limit + 1,
    ...(artifactType === undefined ? {} : { artifactType }),
  });
  const manifests = fitting(found.slice(0, limit));
  const more = manifests.length < found.length ? manifests.at(-1)?.digest : undefined;
  call.json(
    { schemaVersion: 2, mediaType: mediaTypes.index, manifests },
    {
      'Content-Type': mediaTypes.index,
      ...(artifactType === undefined ? {} : { 'OCI-Filters-Applied': 'artifactType' }),
      ...next(call, more),
    },
  );
}

/** The first of them, as many as fit into an answer, but one at least. */
function fitting(referrers: readonly Referrer[]): Referrer[] {
  let bytes = 0;
  return referrers.filter((referrer, index) => {
    bytes += JSON.stringify(referrer).length;
    return index === 0 || bytes <= maxReferrerBytes;
  });
}

/** The parameter `n`. */
function limitOf(call: Call): number {
  const text = call.query.get('n');
  if (text === null || text === '') return maxPage;
  if (!/^\d{1,9}$/.test(text))
    throw unsupported(`parameter n: "${text.slice(0, 100)}" is not a number of elements`);
  return Math.min(Number(text), maxPage);
}

/** The header that leads to the next page (RFC 5988). */
function next(call: Call, last: string | undefined): Record<string, string> {
  if (last === undefined) return {};
  const query = new URLSearchParams(call.query);
  query.set('last', last);
  query.set('n', String(limitOf(call)));
  return { Link: `<${call.path}?${query.toString()}>; rel="next"` };
}

function readOnly(call: Call): void {
  if (call.method !== 'GET' && call.method !== 'HEAD') throw methodUnsupported(call.method, ['GET', 'HEAD']);
}
