import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import type { ManifestSummary, TagRecord } from '../metadata/metadata.ts';
import { planManifests, planTags, type RetentionPolicy } from './retention.ts';

const now = Date.parse('2026-06-01T12:00:00Z');
const hour = 3_600_000;
const day = 24 * hour;

function tagged(name: string, daysAgo: number): TagRecord {
  return { name, digest: digestOf(name), pushed: now - daysAgo * day };
}

function summary(name: string, rest: Partial<ManifestSummary> = {}): ManifestSummary {
  return {
    digest: digestOf(name),
    subject: undefined,
    children: [],
    isTagged: false,
    touched: now - 100 * day,
    ...rest,
  };
}

function kept(plan: readonly { readonly name: string; readonly isKept: boolean }[]): string[] {
  return plan.filter(({ isKept }) => isKept).map(({ name }) => name);
}

test('planTags: keeps the newest so many of those that a rule matches, and all that no rule matches', () => {
  const policy: RetentionPolicy = {
    rules: [
      {
        name: 'builds',
        matches: (repository, tag) => repository === 'app' && tag.startsWith('build-'),
        keepNewest: 2,
      },
    ],
  };
  const tags = [tagged('build-1', 9), tagged('build-3', 3), tagged('build-2', 5), tagged('v1', 300)];
  assert.deepEqual(kept(planTags('app', tags, { policy, now })), ['build-3', 'build-2', 'v1']);
  assert.deepEqual(kept(planTags('other', tags, { policy, now })).length, 4);
});

test('planTags: keeps what is young, or among the newest; the first rule decides; each decision has its reason', () => {
  const policy: RetentionPolicy = {
    rules: [
      { name: 'releases', matches: (_repository, tag) => tag.startsWith('v') },
      { name: 'rest', matches: () => true, keepNewest: 1, keepFor: 7 * day },
    ],
  };
  const tags = [tagged('v1', 300), tagged('a', 10), tagged('b', 12), tagged('c', 1), tagged('d', 6)];
  const plan = planTags('app', tags, { policy, now });
  assert.deepEqual(
    Object.fromEntries(plan.map(({ name, isKept, reason }) => [name, `${isKept}: ${reason}`])),
    {
      c: 'true: rule "rest" keeps the newest 1, this is number 1',
      d: 'true: rule "rest" keeps tags for 7 days, this one was pushed 6 days ago',
      a: 'false: rule "rest": it is number 3, only the newest 1 are kept, and it was pushed 10 days ago, tags are kept for 7 days',
      b: 'false: rule "rest": it is number 4, only the newest 1 are kept, and it was pushed 12 days ago, tags are kept for 7 days',
      v1: 'true: rule "releases" keeps all tags',
    },
  );
});

test('planManifests: keeps what is tagged, its children, what is attached to them, and what is young', () => {
  const policy: RetentionPolicy = { rules: [], deleteUntaggedAfter: 7 * day };
  const manifests = [
    summary('index', { isTagged: true, children: [digestOf('child')] }),
    summary('child'),
    summary('signature', { subject: digestOf('child') }),
    summary('signature of signature', { subject: digestOf('signature') }),
    summary('loose'),
    summary('attached to loose', { subject: digestOf('loose') }),
    summary('attached to nothing', { subject: digestOf('nothing') }),
    summary('leased', { touched: now - 1 * hour }),
    summary('young', { touched: now - 3 * day }),
  ];
  const plan = planManifests('app', manifests, {
    keptTags: [{ name: 'latest', digest: digestOf('index'), pushed: now }],
    policy,
    time: { now, graceStart: now - day },
  });
  const names = new Map(
    ['index', 'child', 'signature', 'signature of signature', 'loose', 'leased', 'young'].map((name) => [
      digestOf(name) as string,
      name,
    ]),
  );
  assert.deepEqual(
    kept(plan).map((digest) => names.get(digest)),
    ['index', 'child', 'signature', 'signature of signature', 'leased', 'young'],
  );
  const reasonOf = (name: string): string | undefined =>
    plan.find((one) => one.name === digestOf(name))?.reason;
  assert.equal(reasonOf('index'), 'tag "latest" points to it');
  assert.equal(reasonOf('child'), `it is part of index ${digestOf('index')}`);
  assert.equal(reasonOf('signature'), `it is attached to ${digestOf('child')}`);
  assert.equal(reasonOf('leased'), 'a push may be about to refer to it');
  assert.equal(reasonOf('loose'), 'it has no tag, and nothing that is kept refers to it');
});

test('planManifests: without a bound, untagged manifests are kept', () => {
  const plan = planManifests('app', [summary('old')], {
    keptTags: [],
    policy: { rules: [] },
    time: { now, graceStart: now - day },
  });
  assert.deepEqual(
    plan.map(({ isKept, reason }) => [isKept, reason]),
    [[true, 'untagged manifests are kept']],
  );
});
