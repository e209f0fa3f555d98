import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { safeLine, safeOutput, safeText } from './safe-text.ts';

const esc = '\u001b';

test('safeLine: what moves the cursor, clears, hides, links or sets titles is gone', () => {
  const cases: [text: string, expected: string][] = [
    ['plain ünïcödé 宽字符 👩‍💻\tx', 'plain ünïcödé 宽字符 👩‍💻\tx'],
    [`${esc}[31mred${esc}[0m ${esc}[2K${esc}[10Aup`, 'red up'],
    [`a${esc}]0;title\u0007b${esc}]8;;http://x${esc}\\c`, 'abc'],
    [`a${esc}Pq device${esc}\\b${esc}_app${esc}\\c`, 'abc'],
    [`${esc}[?25l${esc}[?1049h${esc}c${esc}(0x`, 'x'],
    ['a\u009b2Jb\u009d0;title\u009cc', 'abc'],
    [`cut ${esc}[`, 'cut '],
    [`cut ${esc}]0;title`, 'cut '],
    ['bell\u0007 back\b\b del\u007f', 'bell  back   del '],
    ['10%\r20%\r100%\r', '100%'],
    ['kept\r', 'kept'],
    ['kept\r  \r', 'kept  '],
    ['a \u202ebc\u2066d', 'a bcd'],
  ];
  for (const [text, expected] of cases) assert.equal(safeLine(text), expected, JSON.stringify(text));
});

test('safeLine: colours stay where they are wanted, and end with the line', () => {
  const colors = true;
  assert.equal(safeLine(`${esc}[1;31mred${esc}[2J plain`, { colors }), `${esc}[1;31mred plain${esc}[m`);
  assert.equal(safeLine(`${esc}[32m10%\r20%`, { colors }), `${esc}[32m20%${esc}[m`);
  assert.equal(safeLine('none', { colors }), 'none');
});

test('safeText: whatever comes, a terminal gets text and line feeds, and colours at most', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      esc,
      `${esc}[`,
      `${esc}]`,
      `${esc}P`,
      '\u009b',
      '\u0007',
      '\\',
      '\r',
      '\n',
      '0;31',
      'm',
      '[',
      '\ue000',
    ),
    fc.string({ unit: 'binary' }),
  );
  // oxlint-disable-next-line no-control-regex -- none of them may be left
  const forbidden = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;
  // oxlint-disable-next-line no-control-regex -- nor any but these
  const styles = /\u001b\[[\d;:]*m/g;
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const text = pieces.join('');
      assert.doesNotMatch(safeText(text), forbidden);
      assert.doesNotMatch(safeText(text, { colors: true }).replaceAll(styles, ''), forbidden);
      assert.equal(safeText(text).split('\n').length, text.split('\n').length);
    }),
  );
});

test('safeOutput: only terminals get other text than was written', () => {
  const written = (isTTY: boolean, env: Readonly<Record<string, string>>): string => {
    let text = '';
    safeOutput({ isTTY, write: (more) => void (text += more) }, env).write(`${esc}[31mred${esc}[2J\n`);
    return text;
  };
  assert.equal(written(false, {}), `${esc}[31mred${esc}[2J\n`);
  assert.equal(written(true, { TERM: 'xterm' }), `${esc}[31mred${esc}[m\n`);
  assert.equal(written(true, { TERM: 'xterm', NO_COLOR: '1' }), 'red\n');
  assert.equal(written(true, { TERM: 'dumb' }), 'red\n');
  const output = { isTTY: true, write: () => {} };
  assert.equal(`1.0 ${safeOutput(output, {}).line('10%\r20%')}`, '1.0 20%');
});
