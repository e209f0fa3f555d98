import { conflict } from '#/base/errors.ts';
import type { Logger } from '#/base/log.ts';
import type { Metadata, UnusedBlob } from '../metadata/metadata.ts';
import type { Services } from '../services.ts';
import { type Decision, planManifests, planTags, type RetentionPolicy } from './retention.ts';

/** How a registry is kept tidy. Times are in milliseconds. */
export interface CollectorOptions {
  readonly services: Services;
  readonly policy: RetentionPolicy;
  /**
   * How long what nobody refers to is left alone, because a push may be about to: longer than the longest push. What is looked at
   * by somebody who may push counts as new.
   */
  readonly grace: number;
  /** How long an upload may rest before it is dropped. */
  readonly uploadTimeout: number;
  readonly log: Logger;
  /** The present time in milliseconds since 1970. */
  readonly now?: () => number;
}

/** What a collection did, or would do. */
export interface CollectionReport {
  readonly dryRun: boolean;
  /** ISO 8601. */
  readonly started: string;
  readonly finished: string;
  /** Uploads that were given up. */
  readonly uploads: number;
  /** Of retention: every tag and manifest that goes, and in a dry run also what is kept. */
  readonly decisions: readonly Decision[];
  /** Blobs that no manifest of their repository refers to; a dry run does not count those of manifests that would go. */
  readonly links: readonly UnusedBlob[];
  /** Blobs removed from the storage, in a dry run those that no repository has; and their bytes. */
  readonly blobs: number;
  readonly bytes: number;
  /** Leftovers of crashes that were removed. */
  readonly orphans: number;
}

/** Elements of one list in a report; a collection of a whole registry could have millions. */
const maxListed = 10_000;
const page = 1000;

/**
 * Removes what is no longer wanted while the registry goes on serving and taking pushes. First retention deletes tags and manifests,
 * then go the links of blobs that no manifest refers to, then blobs that no repository has. Each step looks again at the very
 * moment of deleting, in one step with it: a manifest is stored only if its blobs are linked, a link goes only if no manifest refers to
 * the blob and it has not been touched for the grace period, a blob goes only if nothing links it and no commit of it is under way.
 */
export class Collector {
  readonly #options: CollectorOptions;
  readonly #metadata: Metadata;
  readonly #now: () => number;
  #running = false;
  #last: CollectionReport | undefined;

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#metadata = options.services.metadata;
    this.#now = options.now ?? Date.now;
  }

  /** What the last collection did that was not a dry run. */
  get last(): CollectionReport | undefined {
    return this.#last;
  }

  /** Collects, or tells what would be done. Throws `conflict` while another collection is under way. */
  async run({ dryRun }: { readonly dryRun: boolean }): Promise<CollectionReport> {
    if (this.#running)
      throw conflict('Cannot begin a garbage collection: one is under way; try again when it has ended');
    this.#running = true;
    try {
      const report = await this.#collect(dryRun);
      if (!dryRun) this.#last = report;
      return report;
    } finally {
      this.#running = false;
    }
  }

  async #collect(dryRun: boolean): Promise<CollectionReport> {
    const { services, grace, uploadTimeout, log } = this.#options;
    const now = this.#now();
    const before = now - grace;
    const stale = now - uploadTimeout;
    const uploads = dryRun
      ? (await this.#metadata.uploads.stale(stale)).length
      : await services.uploads.dropStale(stale);
    const decisions = await this.#retain({ dryRun, now, before });
    const links: UnusedBlob[] = [];
    for await (const link of this.#metadata.unused.dropLinks({ before, dryRun })) {
      if (links.length < maxListed) links.push(link);
    }
    const { blobs, bytes } = await this.#dropBlobs(dryRun);
    if (!dryRun) await this.#metadata.unused.dropRepositories();
    const orphans = await this.dropOrphans({ before, dryRun });
    const finished = this.#now();
    const report = { dryRun, uploads, decisions, links, blobs, bytes, orphans };
    if (!dryRun) {
      services.observer.observe({ kind: 'collected', blobs, bytes });
      log.info('garbage was collected', { uploads, blobs, bytes, orphans, milliseconds: finished - now });
    }
    return { ...report, started: new Date(now).toISOString(), finished: new Date(finished).toISOString() };
  }

  async #retain({
    dryRun,
    now,
    before,
  }: {
    dryRun: boolean;
    now: number;
    before: number;
  }): Promise<Decision[]> {
    const told: Decision[] = [];
    for await (const repository of this.#repositories()) {
      for (const decision of await this.#retainIn(repository, { dryRun, now, before })) {
        if ((dryRun || !decision.isKept) && told.length < maxListed) told.push(decision);
      }
    }
    return told;
  }

  async #retainIn(
    repository: string,
    { dryRun, now, before }: { dryRun: boolean; now: number; before: number },
  ): Promise<Decision[]> {
    const { policy } = this.#options;
    const { manifests } = this.#metadata;
    const tags = planTags(repository, await manifests.tagRecords(repository), { policy, now });
    if (!dryRun) {
      for (const { name, digest, pushed, isKept } of tags) {
        if (!isKept) await manifests.deleteTag(repository, name, { digest, pushed });
      }
    }
    const keptTags = tags.filter(({ isKept }) => isKept);
    // After the tags have gone: their manifests count as touched now, for those who have just resolved a tag.
    const plan = planManifests(repository, await manifests.summaries(repository), {
      keptTags,
      policy,
      time: { now, graceStart: before },
    });
    const done: Decision[] = [];
    for (const decision of plan) {
      const isGone = !decision.isKept && (dryRun || (await this.#deleteManifest(decision, before)));
      done.push(
        isGone || decision.isKept ? decision : { ...decision, isKept: true, reason: 'it has just been used' },
      );
    }
    return [...tags.map(({ pushed: _pushed, ...decision }): Decision => decision), ...done];
  }

  #deleteManifest({ repository, digest }: Decision, untouchedSince: number): Promise<boolean> {
    return this.#metadata.manifests.delete(repository, digest, { untouchedSince });
  }

  async #dropBlobs(dryRun: boolean): Promise<{ blobs: number; bytes: number }> {
    const { storage, blobLocks } = this.#options.services;
    const { unused } = this.#metadata;
    let [blobs, bytes] = [0, 0];
    for await (const { digest, size } of unused.blobs()) {
      if (!dryRun) {
        // Whoever commits this blob waits, and finds it gone.
        using _held = await blobLocks.acquire(digest);
        if (!(await unused.claim(digest))) continue;
        await storage.remove(digest);
        await unused.forget(digest);
      }
      blobs += 1;
      bytes += size;
    }
    return { blobs, bytes };
  }

  /** Removes blobs that were stored before `before` (milliseconds since 1970) but never linked, because the process died. */
  async dropOrphans({
    before,
    dryRun,
  }: {
    readonly before: number;
    readonly dryRun: boolean;
  }): Promise<number> {
    const { storage, blobLocks } = this.#options.services;
    const { unused } = this.#metadata;
    let orphans = 0;
    for await (const { digest, modified } of storage.blobs()) {
      if (modified >= before || (await unused.knows(digest))) continue;
      using _held = await blobLocks.acquire(digest);
      if (await unused.knows(digest)) continue;
      if (!dryRun) await storage.remove(digest);
      orphans += 1;
    }
    return orphans;
  }

  async *#repositories(): AsyncGenerator<string, void, undefined> {
    let after = '';
    for (;;) {
      const found = await this.#metadata.repositories({ after, limit: page });
      yield* found;
      if (found.length < page) return;
      after = found.at(-1) ?? after;
    }
  }
}
