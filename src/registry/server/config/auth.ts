import { messageOf } from '#/base/errors.ts';
import { compilePattern, type Groups, type Rule, type RuleVerb, verbs } from '../access/rules.ts';
import type { Section } from './section.ts';

/** The key `auth`: who is who and who may do what. */
export type AuthConfig =
  /** `"auth": "none"`: everybody may do everything. */
  | { readonly kind: 'none' }
  | {
      readonly kind: 'some';
      /** What clients show when they ask for a password. */
      readonly realm: string;
      readonly htpasswd: HtpasswdConfig | undefined;
      readonly token: TokenConfig | undefined;
      /** Our own token endpoint for the users of `htpasswd`. */
      readonly issue: IssueConfig | undefined;
      readonly groups: Groups;
      readonly rules: readonly Rule[];
      /** Users who may have garbage collected. */
      readonly admins: readonly string[];
    };

/** The key `auth.htpasswd`. */
interface HtpasswdConfig {
  readonly path: string;
  /** Milliseconds for which a password that was right need not be checked again. */
  readonly remember: number;
}

/** The key `auth.token`: a token service of somebody else. */
export interface TokenConfig {
  /** Where clients get tokens. */
  readonly url: URL;
  readonly service: string;
  readonly issuer: string;
  /** What `aud` must name; the service unless something else is said. */
  readonly audience: string;
  /** The public keys: a file or a URL with a JWK set. */
  readonly jwks:
    | { readonly kind: 'file'; readonly path: string }
    | { readonly kind: 'url'; readonly url: URL };
}

/** The key `auth.issue`. */
interface IssueConfig {
  readonly service: string;
  /** Milliseconds that a token is good for. */
  readonly lifetime: number;
  /** File with the secret that tokens are signed with; undefined: one is made in the data folder. */
  readonly keyFile: string | undefined;
}

/** The rules that hold when none are written: whoever is known may do everything. */
const everybodyKnown: Rule = { repositories: ['**'], who: ['*'], verbs, effect: 'allow' };
const anonymousRead: Rule = {
  repositories: ['**'],
  who: ['anyone'],
  verbs: ['pull', 'list'],
  effect: 'allow',
};

/** Reads the key `auth`; undefined if it is not there. */
export function readAuth(root: Section): AuthConfig | undefined {
  if (root.is('auth', 'none')) return Object.freeze({ kind: 'none' });
  return root.section('auth', (auth) => {
    const htpasswd = auth.section('htpasswd', (section) =>
      Object.freeze({
        path: section.requiredPath('path'),
        remember: section.duration('remember') ?? 5 * 60_000,
      }),
    );
    const token = auth.section('token', readToken);
    const issue = auth.section('issue', readIssue);
    if (htpasswd === undefined && token === undefined) {
      throw auth.refuse(
        'htpasswd',
        'is missing, and so is token: say where users come from, or "auth": "none"',
      );
    }
    if (issue !== undefined && htpasswd === undefined) {
      throw auth.refuse('issue', 'makes tokens for the users of auth.htpasswd, which is missing');
    }
    if (issue !== undefined && token !== undefined) {
      throw auth.refuse('issue', 'cannot go together with auth.token: clients can be sent to one place only');
    }
    const groups = auth.named('groups', (section, name) => section.texts(name) ?? []);
    const anonymous = auth.toggle('anonymousRead', false);
    const written = auth.has('rules')
      ? auth.sections('rules', (rule) => readRule(rule, groups))
      : [everybodyKnown];
    const admins = auth.texts('admins') ?? [];
    const rules = Object.freeze(anonymous ? [...written, anonymousRead] : written);
    // With basic authentication a client that was let in unknown has no way to say later who it is.
    const mustIssue = token === undefined && rules.some(({ who }) => who.includes('anyone'));
    return Object.freeze({
      kind: 'some',
      realm: readRealm(auth),
      htpasswd,
      token,
      issue: issue ?? (mustIssue ? readIssue(undefined) : undefined),
      groups,
      rules,
      admins,
    });
  });
}

function readIssue(section: Section | undefined): IssueConfig {
  const service = section === undefined ? undefined : readService(section);
  return Object.freeze({
    service: service ?? 'skiff-registry',
    lifetime: section?.duration('lifetime') ?? 5 * 60_000,
    keyFile: section?.path('keyFile'),
  });
}

/** The name of a service; it stands in a quoted string of a header. */
function readService(section: Section): string | undefined {
  const service = section.text('service');
  if (service !== undefined && !/^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/.test(service)) {
    throw section.refuse('service', 'must be ASCII without spaces, quotes and backslashes');
  }
  return service;
}

function readRealm(auth: Section): string {
  const realm = auth.text('realm') ?? 'Registry';
  // It stands in a quoted string of a header.
  if (!/^[\x20-\x7e]{1,100}$/.test(realm) || /["\\]/.test(realm)) {
    throw auth.refuse('realm', 'must be up to 100 ASCII characters without quotes and backslashes');
  }
  return realm;
}

function readToken(section: Section): TokenConfig {
  const url = section.url('url', ['https:', 'http:']);
  if (url === undefined) throw section.refuse('url', 'is missing: where do clients get tokens?');
  const service = readService(section) ?? section.fail('service', 'is missing');
  const keysUrl = section.url('jwksUrl', ['https:', 'http:']);
  const keysFile = section.path('jwksFile');
  if ((keysUrl === undefined) === (keysFile === undefined)) {
    throw section.refuse('jwksFile', 'say either this or jwksUrl');
  }
  return Object.freeze({
    url,
    service,
    issuer: section.requiredText('issuer'),
    audience: section.text('audience') ?? service,
    jwks: Object.freeze(
      keysUrl === undefined
        ? ({ kind: 'file', path: keysFile ?? '' } as const)
        : ({ kind: 'url', url: keysUrl } as const),
    ),
  });
}

function readRule(section: Section, groups: Groups): Rule {
  const repositories = section.texts('repositories') ?? ['**'];
  for (const pattern of repositories) {
    try {
      compilePattern(pattern);
    } catch (error) {
      throw section.refuse('repositories', messageOf(error));
    }
  }
  const who = section.texts('who');
  if (who === undefined || who.length === 0) {
    throw section.refuse(
      'who',
      'is missing: names of users, "@group", "*" for whoever is known, or "anyone"',
    );
  }
  for (const each of who) {
    if (each.startsWith('@') && !groups.has(each.slice(1))) {
      throw section.refuse('who', `there is no group ${JSON.stringify(each.slice(1))} in auth.groups`);
    }
  }
  const words = section.texts('verbs') ?? verbs;
  return Object.freeze({
    repositories,
    who,
    verbs: Object.freeze(words.flatMap((word) => verbOf(section, word))),
    effect: section.choice('effect', ['allow', 'deny']) ?? 'allow',
  });
}

function verbOf(section: Section, word: string): readonly RuleVerb[] {
  if (word === '*') return verbs;
  const verb = verbs.find((each) => each === word);
  if (verb === undefined) {
    throw section.refuse('verbs', `${JSON.stringify(word)} is none; they are ${verbs.join(', ')} and "*"`);
  }
  return [verb];
}
