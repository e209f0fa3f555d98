import { messageOf } from '#/base/errors.ts';
import type { Logger } from '#/base/log.ts';
import type { Digest } from '#/oci/digest.ts';
import type { Call } from '../call.ts';
import { unsupported } from '../errors.ts';
import { isTag } from '../names.ts';
import type { Place } from '../router.ts';
import type { CacheRecords } from './cache-records.ts';
import type { CachedManifests } from './cached-manifests.ts';
import type { Upstream } from './upstream.ts';

const patience = 30_000;
const maxTags = 100_000;
/** Referrers of one manifest that are copied. */
const maxReferrers = 200;

/** What `CachedLists` works with. */
export interface CachedListsInput {
  readonly manifests: CachedManifests;
  readonly records: CacheRecords;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Lists of an upstream: asked for there, and while it is away answered with what is here. */
export class CachedLists {
  readonly #input: CachedListsInput;

  constructor(input: CachedListsInput) {
    this.#input = input;
  }

  /** Answers with the upstream's tags; if it cannot be asked, returns the place, which then shows the tags that are here. */
  async answerTags(
    call: Call,
    { upstream, place }: { upstream: Upstream; place: Place & { repository: string } },
  ): Promise<Place | undefined> {
    const { repository } = place;
    call.require('list', repository);
    const limit = limitOf(call.query.get('n'));
    const all: string[] = [];
    try {
      const signal = AbortSignal.any([call.signal, AbortSignal.timeout(patience)]);
      for await (const tag of upstream.repository(repository).tags({ signal })) {
        if (isTag(tag)) all.push(tag);
        if (all.length >= maxTags) break;
      }
    } catch (error) {
      this.#input.log.info('tags are listed as far as they are here', {
        repository,
        upstream: upstream.domain,
        problem: messageOf(error),
      });
      return place;
    }
    const last = call.query.get('last') ?? '';
    const rest = [...new Set(all)].sort().filter((tag) => tag > last);
    const tags = rest.slice(0, limit);
    const next = new URLSearchParams({ n: String(limit), last: tags.at(-1) ?? '' });
    const isMore = tags.length < rest.length && tags.length > 0;
    call.json(
      { name: repository, tags },
      isMore ? { Link: `<${call.path}?${next.toString()}>; rel="next"` } : {},
    );
    return undefined;
  }

  /** Copies the manifests that refer to this one, so that the list of what is here is complete. */
  async prepareReferrers(upstream: Upstream, repository: string, subject: Digest): Promise<void> {
    const { records, manifests, log, now } = this.#input;
    const key = `referrers of ${subject}`;
    if (records.checked(repository, key) > now() - upstream.config.ttl) return;
    try {
      const found = await upstream
        .repository(repository)
        .referrers(subject, { signal: AbortSignal.timeout(patience) });
      for (const { digest } of found.slice(0, maxReferrers))
        await manifests.refresh(upstream, repository, { digest });
      records.own(repository, upstream.config.prefix);
      records.check(repository, key, now());
    } catch (error) {
      log.info('referrers are listed as far as they are here', {
        repository,
        upstream: upstream.domain,
        problem: messageOf(error),
      });
    }
  }
}

function limitOf(text: string | null): number {
  if (text === null) return maxTags;
  if (!/^\d{1,9}$/.test(text))
    throw unsupported(`n must be a number, not ${JSON.stringify(text.slice(0, 20))}`);
  return Number(text);
}
