import type { BuildRequest } from '#/builder/request.ts';
import type { BuildQuery } from './build-query.ts';

/** What the query of `POST /build` decides on by itself, whoever brings the files and takes the result. */
type QueryWishes = Omit<
  BuildRequest,
  'dockerfile' | 'context' | 'secrets' | 'ssh' | 'registryAuth' | 'outputs' | 'cacheTo'
>;

/** These wishes. What the query has no words for is not wished. */
export function queryWishes(query: BuildQuery): QueryWishes {
  const { args, target, platform, noCache, pull, labels, run, cacheFrom, squash } = query;
  return {
    namedContexts: new Map(),
    args,
    target,
    platforms: platform === undefined ? [] : [platform],
    noCache,
    noCacheStages: [],
    pull,
    labels,
    run,
    cacheFrom,
    attestations: new Map(),
    squash,
    entitlements: new Set(run.network.kind === 'host' ? ['network.host'] : []),
    explain: false,
  };
}
