import { compilePattern, matchesPart } from '../access/rules.ts';
import type { RetentionPolicy, RetentionRule } from '../gc/retention.ts';
import type { Section } from './section.ts';

/** The key `gc`: how the registry is kept tidy. Times in milliseconds. */
export interface CollectionConfig {
  /** Between two collections; undefined: only when somebody asks for one. */
  readonly interval: number | undefined;
  /** How long what nothing refers to is left alone. */
  readonly grace: number;
  /** How long an upload may rest. */
  readonly uploads: number;
  readonly policy: RetentionPolicy;
}

const hour = 3_600_000;
/** Looks at content renew its lease only every so often. */
const leastGrace = 10 * 60_000;

/** Reads the key `gc`. */
export function readCollection(root: Section): CollectionConfig {
  return root.section('gc', read) ?? defaults;
}

const defaults: CollectionConfig = Object.freeze({
  interval: 24 * hour,
  grace: 24 * hour,
  uploads: 7 * 24 * hour,
  policy: Object.freeze({ rules: [] }),
});

function read(section: Section): CollectionConfig {
  const grace = section.duration('grace') ?? defaults.grace;
  if (grace < leastGrace)
    throw section.refuse('grace', 'must be at least 10m: a push that lasts longer could lose its blobs');
  const untagged = section.duration('untagged');
  return Object.freeze({
    interval: section.is('interval', 'never') ? undefined : (section.duration('interval') ?? 24 * hour),
    grace,
    uploads: section.duration('uploads') ?? defaults.uploads,
    policy: Object.freeze({
      rules: section.sections('keep', readRule),
      ...(untagged === undefined ? {} : { deleteUntaggedAfter: untagged }),
    }),
  });
}

function readRule(section: Section): RetentionRule {
  const repositories = section.texts('repositories') ?? ['**'];
  const tags = section.texts('tags') ?? ['*'];
  const compiled = repositories.map((pattern) => {
    try {
      return compilePattern(pattern);
    } catch (error) {
      throw section.refuse('repositories', error instanceof Error ? error.message : String(error));
    }
  });
  const wrong = tags.find((pattern) => !/^[A-Za-z0-9._*-]+$/.test(pattern));
  if (wrong !== undefined) {
    throw section.refuse(
      'tags',
      `${JSON.stringify(wrong)} is no pattern of tags: they are made of letters, digits, ".", "_", "-" and "*"`,
    );
  }
  const keepNewest = section.number('newest', { least: 0 });
  const keepFor = section.duration('for');
  return Object.freeze({
    name: section.text('name') ?? `${repositories.join(' ')}:${tags.join(' ')}`,
    matches: (repository: string, tag: string) =>
      compiled.some((matches) => matches(repository)) && tags.some((pattern) => matchesPart(pattern, tag)),
    ...(keepNewest === undefined ? {} : { keepNewest }),
    ...(keepFor === undefined ? {} : { keepFor }),
  });
}
