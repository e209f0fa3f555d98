import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sprint } from './go-print.ts';
import { GoStruct, type GoValue } from './go-values.ts';
import { Template } from './template.ts';
import { TemplateExecutionError } from './template-execution.ts';
import { TemplateSyntaxError } from './template-parser.ts';

const run = (source: string, data: GoValue = null): string => new Template(source).execute(data);

test('Template: text without actions is copied', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      fc.pre(!text.includes('{{'));
      assert.equal(run(text), text);
    }),
  );
});

test('Template: any source either runs or fails with one of its own errors', () => {
  const words =
    '{{ }} . .A $x := = | ( ) if else end range with eq print "a" `b` \'c\' 1 1.5 nil true , break define template block';
  const piece = fc.constantFrom(' ', '- ', ' -', '\n', ...words.split(' '));
  const source = fc
    .array(fc.oneof({ weight: 8, arbitrary: piece }, fc.string({ maxLength: 3 })))
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(source, (text) => {
      try {
        assert.equal(typeof run(text, { A: [1, 'two', { three: 3 }] }), 'string');
      } catch (error) {
        assert.ok(
          error instanceof TemplateSyntaxError || error instanceof TemplateExecutionError,
          String(error),
        );
        assert.match(error.message, /^template: /);
      }
    }),
    { numRuns: 2000 },
  );
});

test('Template: json prints every JSON value as it was', () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      // Go's encoder and JSON.stringify agree but for the sign of zero and two line separators.
      const text = JSON.stringify(value).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
      assert.equal(run('{{json .}}', JSON.parse(text)), text);
    }),
  );
});

test('Template: a range over a map goes by the order of the keys', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.nat()), (map) => {
      const expected = Object.keys(map)
        .sort()
        .map((key) => `${key}=${map[key]};`);
      assert.equal(run('{{range $k, $v := .}}{{$k}}={{$v}};{{end}}', map), expected.join(''));
    }),
  );
});

test('Template: names of Object.prototype are not fields', () => {
  for (const name of ['constructor', '__proto__', 'toString']) {
    assert.equal(run(`{{.${name}}}`, {}), '<no value>');
    assert.throws(() => new Template(`{{${name}}}`), TemplateSyntaxError);
  }
});

test('Template: endless recursion ends with an error', () => {
  assert.throws(() => run('{{define "x"}}{{template "x"}}{{end}}{{template "x"}}'), {
    message: 'template: exceeded maximum template depth',
  });
});

test('Template: methods of a struct take arguments', () => {
  const row = new GoStruct('*x.Row', new Map([['Name', 'n']]), {
    methods: { Label: { params: ['string'], call: ([name]) => `label ${sprint(name ?? null)}` } },
  });
  assert.equal(run('{{.Label "a"}} {{"b" | .Label}} {{.Name}}', row), 'label a label b n');
  assert.throws(() => run('{{.Label}}', row), /wrong number of args for Label: want 1 got 0/);
  assert.throws(() => run('{{.Nope}}', row), /can't evaluate field Nope in type \*x\.Row/);
});

test('Template.reads: finds a field of the top-level value wherever it is used', () => {
  assert.ok(new Template('{{if true}}{{printf "%s" .Size}}{{end}}').reads('Size'));
  assert.ok(new Template('{{with .X}}{{$.Size}}{{end}}').reads('Size'));
  assert.ok(!new Template('{{.Sizes}} {{.X.Size}} Size').reads('Size'));
});
