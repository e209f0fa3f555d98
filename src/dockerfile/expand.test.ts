import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expandForDisplay, expandHeredoc, expandWord, expandWords } from './expand.ts';

const variables = new Map([
  ['A', 'one'],
  ['E', ''],
  ['P', '/usr/local/bin/tool.tar.gz'],
  ['W', 'x  y'],
]);

test('expandWord: quotes, escapes and modifiers', () => {
  const cases: Readonly<Record<string, string>> = {
    a: 'a',
    '$A${A}': 'oneone',
    $A_x: '',
    '$U.': '.',
    "'$A'": '$A',
    '"$A\'s"': "one's",
    '\\$A': '$A',
    '"\\$A\\n"': '$A\\n',
    'a\\ b': 'a b',
    '${U:-x$A}': 'xone',
    '${E:-x}${E-x}': 'x',
    '${A:+x}${E:+x}${E+y}': 'xy',
    '${A:?no}': 'one',
    '${P#*/}': 'usr/local/bin/tool.tar.gz',
    '${P##*/}': 'tool.tar.gz',
    '${P%.*}': '/usr/local/bin/tool.tar',
    '${P%%.*}': '/usr/local/bin/tool',
    '${P/l/L}': '/usr/Local/bin/tool.tar.gz',
    '${P//l/L}': '/usr/LocaL/bin/tooL.tar.gz',
    '${P//\\//-}': '-usr-local-bin-tool.tar.gz',
    '${P/?ar/X}': '/usr/local/bin/tool.X.gz',
    '${A#${A}}': '',
    '${U:-"a b"}': 'a b',
    $: '$',
    'a$ b': 'a$ b',
    '<<EOF': '<<EOF',
    '$1$*': '',
  };
  for (const [word, expected] of Object.entries(cases))
    assert.equal(expandWord(word, variables), expected, word);
  assert.equal(expandWord('a`$b', variables, { escape: '`' }), 'a$b');
});

test('expandWord: refuses in the words of Docker', () => {
  const wrong: Readonly<Record<string, string>> = {
    '${A': "syntax error: missing '}'",
    '${}': 'syntax error: bad substitution',
    '${:x}': 'syntax error: bad substitution',
    '${A.}': 'unsupported modifier (.) in substitution',
    '${A:#x}': 'unsupported modifier (:#) in substitution',
    '${U?}': 'U: is not allowed to be unset',
    '${U?really}': 'U: really',
    '${E:?}': 'E: is not allowed to be empty',
    "'a": 'unexpected end of statement while looking for matching single-quote',
    '"a': 'unexpected end of statement while looking for matching double-quote',
    '${A/x}': "syntax error: missing '/' in ${}",
    '${A#\\a}': "invalid pattern (\\a) in substitution: invalid escape '\\a'",
  };
  for (const [word, reason] of Object.entries(wrong)) {
    const message = `failed to process ${JSON.stringify(word)}: ${reason}`;
    assert.throws(() => expandWord(word, variables), { kind: 'invalid', message }, word);
  }
});

test('expandWord: tells which variables it asked for', () => {
  const asked: string[] = [];
  expandWord('$A ${U:-$E}', variables, { onVariable: (name, isSet) => asked.push(`${name}=${isSet}`) });
  assert.deepEqual(asked, ['A=true', 'E=true', 'U=false']);
});

test('expandWords: splits what was replaced, not what is quoted', () => {
  assert.deepEqual(expandWords('a$W "$W" \'c d\'', variables), ['ax', 'y', 'x  y', 'c d']);
});

test('expandHeredoc: quotes are characters like others', () => {
  assert.equal(expandHeredoc('"$A" \'$A\' \\$A\n', variables), '"one" \'one\' $A\n');
});

test('expandForDisplay: keeps quotes and what has no value', () => {
  assert.equal(expandForDisplay('RUN echo "$A" $U ${U:-x}', variables), 'RUN echo "one" $U ${U:-x}');
  assert.equal(expandForDisplay("RUN it's", variables), "RUN it's");
});

test('expandWord: results have a limit, and so has the time', () => {
  const big = new Map([['B', 'x'.repeat(600_000)]]);
  assert.throws(() => expandWord('$B$B', big), { kind: 'invalid' });
  assert.throws(() => expandWord(`\${B//${'*x'.repeat(20)}/}`, big), { kind: 'invalid' });
  assert.throws(() => expandWord('${A:-'.repeat(10_000), variables), { kind: 'invalid' });
});
