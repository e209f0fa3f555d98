import { notImplemented } from '#/base/errors.ts';
import type { Digest } from '#/oci/digest.ts';
import type { CacheRecord, PruneRequest, PruneResult } from './cache/record.ts';
import type { ProgressSink } from './progress.ts';
import type { BuildRequest } from './request.ts';

/** How a build is followed and ended. */
export interface BuildControl {
  /** Ends the build: its steps are killed as far as no other build waits for them. */
  readonly signal: AbortSignal;
  readonly progress: ProgressSink;
}

/** What a build has made. */
export interface BuildResult {
  /** The image in the store, if one was to go there. */
  readonly image: Digest | undefined;
  /** What exporters say, by BuildKit's names: `containerimage.digest`, `containerimage.config.digest`, `image.name`. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** Makes images from Dockerfiles. */
export class Builder {
  /**
   * Carries out a build. Throws `invalid` for what is wrong with the Dockerfile or the request (with file, line and
   * excerpt where there is one), `StepError` for a process that fails.
   */
  build(request: BuildRequest, { signal }: BuildControl): Promise<BuildResult> {
    signal.throwIfAborted();
    return Promise.reject(notImplemented(`building ${request.context.name} is not implemented`));
  }

  /** What the cache has. */
  usage(): CacheRecord[] {
    return [];
  }

  /** Removes what the request names, as far as no build works with it. */
  prune({ filters }: PruneRequest): Promise<PruneResult> {
    if (filters.size > 0) return Promise.reject(notImplemented('filters of builder prune'));
    return Promise.resolve({ removed: [], reclaimed: 0 });
  }
}
