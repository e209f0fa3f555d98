import { invalid } from '#/base/errors.ts';

/** What one can do to a repository; `list` is to see it in the catalog and in searches, and to list its tags. */
export type RuleVerb = 'pull' | 'push' | 'delete' | 'list';

/** All verbs, in the order of messages. */
export const verbs: readonly RuleVerb[] = ['pull', 'push', 'delete', 'list'];

/** Who asks: the name of an authenticated user, undefined for somebody unknown. */
export interface Subject {
  readonly user: string | undefined;
  /** Groups that a token says the user is in, beside those of the configuration. */
  readonly groups?: readonly string[];
}

/** One line of the configuration's `auth.rules`. */
export interface Rule {
  /** Patterns of repositories, see `compilePattern`. */
  readonly repositories: readonly string[];
  /** Users by name, groups as `@name`, `*` for everybody who is authenticated, `anyone` for everybody. */
  readonly who: readonly string[];
  readonly verbs: readonly RuleVerb[];
  readonly effect: 'allow' | 'deny';
}

/** Groups by name: who is in them. */
export type Groups = ReadonlyMap<string, readonly string[]>;

interface CompiledRule {
  readonly repositories: readonly ((name: string) => boolean)[];
  readonly users: ReadonlySet<string>;
  readonly groups: readonly string[];
  readonly everybody: 'authenticated' | 'anyone' | undefined;
  readonly verbs: ReadonlySet<RuleVerb>;
  readonly allows: boolean;
}

/**
 * Who may do what, as an ordered list of rules: the first one that fits the repository, the verb and the subject decides;
 * if none does, the answer is no.
 */
export class Rules {
  readonly #rules: readonly CompiledRule[];
  readonly #groups: ReadonlyMap<string, ReadonlySet<string>>;

  /** Throws `invalid` for a malformed pattern and for a group that `groups` does not have. */
  constructor(rules: readonly Rule[], groups: Groups) {
    this.#groups = new Map([...groups].map(([name, members]) => [name, new Set(members)]));
    this.#rules = rules.map((rule) => ({
      repositories: rule.repositories.map(compilePattern),
      users: new Set(rule.who.filter((who) => !who.startsWith('@'))),
      groups: rule.who.filter((who) => who.startsWith('@')).map((who) => who.slice(1)),
      everybody: rule.who.includes('anyone')
        ? 'anyone'
        : rule.who.includes('*')
          ? 'authenticated'
          : undefined,
      verbs: new Set(rule.verbs),
      allows: rule.effect === 'allow',
    }));
  }

  /** Whether `subject` may do `verb` to the repository called `repository`. */
  allows(subject: Subject, verb: RuleVerb, repository: string): boolean {
    const rule = this.#rules.find(
      (each) =>
        each.verbs.has(verb) &&
        this.#isAbout(each, subject) &&
        each.repositories.some((matches) => matches(repository)),
    );
    return rule?.allows ?? false;
  }

  #isAbout(rule: CompiledRule, { user, groups = [] }: Subject): boolean {
    if (rule.everybody === 'anyone') return true;
    if (user === undefined) return false;
    return (
      rule.everybody === 'authenticated' ||
      rule.users.has(user) ||
      rule.groups.some((group) => groups.includes(group) || this.#groups.get(group)?.has(user) === true)
    );
  }
}

/**
 * A pattern of repository names: `*` is any part of one component (`team/*` has `team/app` but not `team/app/db`), `**`
 * as a whole component is any number of them, also none (`team/**` has `team`, `team/app` and `team/app/db`; `**` has
 * everything). Time is proportional to the product of both lengths. Throws `invalid` for what no name could match.
 */
export function compilePattern(pattern: string): (name: string) => boolean {
  const parts = pattern.split('/');
  for (const part of parts) {
    if (part === '**' || (/^[a-z0-9._*-]+$/.test(part) && !part.includes('**'))) continue;
    throw invalid(
      `${JSON.stringify(pattern)} is no pattern of repositories: it is made of lower-case letters, digits, ".", "_", "-", "/", "*" and "**" between slashes`,
    );
  }
  return (name) => matchesParts(parts, name.split('/'));
}

/** Which prefixes of `names` the parts so far can stand for, one part after the other. */
function matchesParts(parts: readonly string[], names: readonly string[]): boolean {
  let reached = new Set([0]);
  for (const part of parts) {
    const next = new Set<number>();
    for (const at of reached) {
      if (part === '**') for (let end = at; end <= names.length; end += 1) next.add(end);
      else if (at < names.length && matchesPart(part, names[at] ?? '')) next.add(at + 1);
    }
    reached = next;
  }
  return reached.has(names.length);
}

/** Whether `text` fits a pattern in which `*` stands for any characters; on a mismatch only the last star has to take one more. */
export function matchesPart(pattern: string, text: string): boolean {
  let at = 0;
  let token = 0;
  let star: { token: number; at: number } | undefined;
  while (at < text.length) {
    if (pattern[token] === '*') {
      star = { token, at };
      token += 1;
    } else if (pattern[token] === text[at]) {
      token += 1;
      at += 1;
    } else if (star !== undefined) {
      star = { token: star.token, at: star.at + 1 };
      token = star.token + 1;
      at = star.at;
    } else return false;
  }
  while (pattern[token] === '*') token += 1;
  return token === pattern.length;
}
