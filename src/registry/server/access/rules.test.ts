import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compilePattern, type Rule, Rules, type RuleVerb, verbs } from './rules.ts';

const all: Rule = { repositories: ['**'], who: ['*'], verbs, effect: 'allow' };

test('compilePattern: stars stay within a component, double stars span them', () => {
  const cases: [pattern: string, name: string, matches: boolean][] = [
    ['app', 'app', true],
    ['app', 'apps', false],
    ['app', 'x/app', false],
    ['team/*', 'team/app', true],
    ['team/*', 'team/app/db', false],
    ['team/*', 'team', false],
    ['team/**', 'team', true],
    ['team/**', 'team/app/db', true],
    ['team/**', 'teams/app', false],
    ['**', 'a/b/c', true],
    ['**/db', 'db', true],
    ['**/db', 'a/b/db', true],
    ['**/db', 'a/b/xdb', false],
    ['a/**/z', 'a/z', true],
    ['a/**/z', 'a/b/c/z', true],
    ['a*c*e', 'abcde', true],
    ['a*c*e', 'abcd', false],
    ['*-dev', 'app-dev', true],
  ];
  for (const [pattern, name, matches] of cases) {
    assert.equal(compilePattern(pattern)(name), matches, `${pattern} ${name}`);
  }
});

test('compilePattern: agrees with a regular expression', () => {
  const component = fc.string({ unit: fc.constantFrom('a', 'b', '-'), minLength: 1, maxLength: 4 });
  const part = fc.oneof(
    fc.constant('**'),
    fc
      .string({ unit: fc.constantFrom('a', 'b', '-', '*'), minLength: 1, maxLength: 4 })
      .filter((text) => !text.includes('**')),
  );
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 4 }),
      fc.array(component, { minLength: 1, maxLength: 4 }),
      (parts, names) => {
        // Each component with its slash in front, so that `**` is a repetition of components.
        const expression = parts.map((each) =>
          each === '**' ? '(?:/[^/]+)*' : `/${each.replaceAll('*', '[^/]*')}`,
        );
        assert.equal(
          compilePattern(parts.join('/'))(names.join('/')),
          new RegExp(`^${expression.join('')}$`).test(`/${names.join('/')}`),
        );
      },
    ),
  );
});

test('compilePattern: refuses what no name of a repository could match', () => {
  for (const pattern of ['', '/a', 'a/', 'a//b', 'A', 'a**', '***', 'a b', '../x y', 'a:b', '[a]']) {
    assert.throws(() => compilePattern(pattern), { message: /is no pattern of repositories/ }, pattern);
  }
});

test('Rules: without a rule that fits nobody may do anything', () => {
  const none = new Rules([], new Map());
  for (const verb of verbs) {
    assert.equal(none.allows({ user: 'alice' }, verb, 'a'), false);
    assert.equal(none.allows({ user: undefined }, verb, 'a'), false);
  }
});

test('Rules: the first rule that fits decides, for each verb by itself', () => {
  const rules = new Rules(
    [
      { repositories: ['secret/**'], who: ['root'], verbs, effect: 'allow' },
      { repositories: ['secret/**'], who: ['anyone'], verbs, effect: 'deny' },
      { repositories: ['team/*'], who: ['@team'], verbs: ['push'], effect: 'allow' },
      { repositories: ['**'], who: ['anyone'], verbs: ['pull', 'list'], effect: 'allow' },
    ],
    new Map([['team', ['alice', 'bob']]]),
  );
  const may = (user: string | undefined, verb: RuleVerb, name: string): boolean =>
    rules.allows({ user }, verb, name);
  assert.equal(may('root', 'delete', 'secret/x'), true);
  assert.equal(may('alice', 'pull', 'secret/x'), false);
  assert.equal(may(undefined, 'list', 'secret/x'), false);
  assert.equal(may('alice', 'push', 'team/app'), true);
  assert.equal(may('carol', 'push', 'team/app'), false);
  assert.equal(rules.allows({ user: 'carol', groups: ['team'] }, 'push', 'team/app'), true);
  assert.equal(may('alice', 'delete', 'team/app'), false);
  assert.equal(may('alice', 'push', 'team/app/db'), false);
  assert.equal(may(undefined, 'pull', 'team/app'), true);
  assert.equal(may(undefined, 'push', 'team/app'), false);
});

test('Rules: a star is everybody who is known, never somebody unknown', () => {
  const rules = new Rules([all], new Map());
  assert.equal(rules.allows({ user: 'x' }, 'push', 'a/b'), true);
  assert.equal(rules.allows({ user: undefined, groups: ['team'] }, 'pull', 'a/b'), false);
});
