import type { Digest } from '#/oci/digest.ts';
import type { ManifestSummary, TagRecord } from '../metadata/metadata.ts';

/** What is kept of the tags that match; whatever fits one of the two numbers is kept. Without either, all are. */
export interface RetentionRule {
  /** For explanations: the rule's name, or the patterns that it was written with. */
  readonly name: string;
  readonly matches: (repository: string, tag: string) => boolean;
  /** The newest so many, by the time of their last push. */
  readonly keepNewest?: number;
  /** Those pushed within so many milliseconds. */
  readonly keepFor?: number;
}

/** What a registry keeps. */
export interface RetentionPolicy {
  /** The first rule that matches a tag decides; a tag that none matches is kept. */
  readonly rules: readonly RetentionRule[];
  /**
   * Milliseconds after which a manifest is deleted that has no tag, belongs to no index that is kept, and is attached to nothing
   * that is kept. Undefined: never.
   */
  readonly deleteUntaggedAfter?: number;
}

/** What becomes of a tag or manifest, and why. */
export interface Decision {
  readonly repository: string;
  readonly kind: 'tag' | 'manifest';
  /** The tag's name or the manifest's digest. */
  readonly name: string;
  readonly digest: Digest;
  readonly isKept: boolean;
  readonly reason: string;
}

/** A decision about a tag, with what must still be so when it is carried out. */
export interface TagDecision extends Decision {
  readonly pushed: number;
}

/** When a plan is made and what is young enough to be left alone, in milliseconds since 1970. */
export interface PlanTime {
  readonly now: number;
  readonly graceStart: number;
}

/** What becomes of each tag of a repository. */
export function planTags(
  repository: string,
  tags: readonly TagRecord[],
  { policy, now }: { readonly policy: RetentionPolicy } & Pick<PlanTime, 'now'>,
): TagDecision[] {
  const ranks = new Map<RetentionRule, number>();
  const newestFirst = [...tags].sort((a, b) => b.pushed - a.pushed || (a.name < b.name ? -1 : 1));
  return newestFirst.map(({ name, digest, pushed }) => {
    const rule = policy.rules.find((each) => each.matches(repository, name));
    const rank = rule === undefined ? 0 : (ranks.get(rule) ?? 0) + 1;
    if (rule !== undefined) ranks.set(rule, rank);
    const verdict = judge(rule, { rank, age: now - pushed });
    return { repository, kind: 'tag', name, digest, pushed, ...verdict };
  });
}

function judge(
  rule: RetentionRule | undefined,
  { rank, age }: { readonly rank: number; readonly age: number },
): { isKept: boolean; reason: string } {
  if (rule === undefined) return { isKept: true, reason: 'no rule matches this tag' };
  const { name, keepNewest, keepFor } = rule;
  const which = `rule "${name}"`;
  if (keepNewest === undefined && keepFor === undefined)
    return { isKept: true, reason: `${which} keeps all tags` };
  if (keepNewest !== undefined && rank <= keepNewest) {
    return { isKept: true, reason: `${which} keeps the newest ${keepNewest}, this is number ${rank}` };
  }
  if (keepFor !== undefined && age < keepFor) {
    return {
      isKept: true,
      reason: `${which} keeps tags for ${inWords(keepFor)}, this one was pushed ${inWords(age)} ago`,
    };
  }
  const missed = [
    ...(keepNewest === undefined ? [] : [`it is number ${rank}, only the newest ${keepNewest} are kept`]),
    ...(keepFor === undefined
      ? []
      : [`it was pushed ${inWords(age)} ago, tags are kept for ${inWords(keepFor)}`]),
  ];
  return { isKept: false, reason: `${which}: ${missed.join(', and ')}` };
}

/**
 * What becomes of each manifest of a repository whose tags are those of `keptTags`. Kept are: what has a tag, the children of what is
 * kept, what is attached to what is kept, and what a push may be about to refer to.
 */
export function planManifests(
  repository: string,
  manifests: readonly ManifestSummary[],
  {
    keptTags,
    policy,
    time,
  }: {
    readonly keptTags: readonly TagRecord[];
    readonly policy: RetentionPolicy;
    readonly time: PlanTime;
  },
): Decision[] {
  const reasons = new Map<Digest, string>();
  const byDigest = new Map(manifests.map((manifest) => [manifest.digest, manifest]));
  const attached = Map.groupBy(
    manifests.filter(({ subject }) => subject !== undefined),
    ({ subject }) => subject,
  );
  const queue: Digest[] = [];
  const keep = (digest: Digest, reason: string): void => {
    if (reasons.has(digest) || !byDigest.has(digest)) return;
    reasons.set(digest, reason);
    queue.push(digest);
  };
  for (const { name, digest } of keptTags) keep(digest, `tag "${name}" points to it`);
  for (const { digest, touched } of manifests) {
    if (policy.deleteUntaggedAfter === undefined) keep(digest, 'untagged manifests are kept');
    else if (touched >= time.graceStart) keep(digest, 'a push may be about to refer to it');
    else if (time.now - touched < policy.deleteUntaggedAfter) {
      keep(digest, `untagged manifests are kept for ${inWords(policy.deleteUntaggedAfter)}`);
    }
  }
  for (let digest = queue.shift(); digest !== undefined; digest = queue.shift()) {
    for (const child of byDigest.get(digest)?.children ?? []) keep(child, `it is part of index ${digest}`);
    for (const referrer of attached.get(digest) ?? []) keep(referrer.digest, `it is attached to ${digest}`);
  }
  return manifests.map(({ digest }) => ({
    repository,
    kind: 'manifest',
    name: digest,
    digest,
    isKept: reasons.has(digest),
    reason: reasons.get(digest) ?? 'it has no tag, and nothing that is kept refers to it',
  }));
}

/** Milliseconds in the largest unit that fits. */
function inWords(milliseconds: number): string {
  const units = [
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
    ['second', 1000],
  ] as const;
  const [unit, size] = units.find(([, length]) => milliseconds >= length) ?? (['second', 1000] as const);
  const count = Math.floor(milliseconds / size);
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
