import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ListKind, parseListFormat, renderList } from './list.ts';

interface Row {
  readonly name: string;
  readonly size: number;
}
const kind: ListKind<Row> = {
  type: '*x.rowContext',
  columns: {
    Size: { header: 'SIZE', value: ({ size }) => String(size) },
    Name: { header: 'NAME', value: ({ name }) => name },
  },
};
const rows: Row[] = [
  { name: 'one', size: 1 },
  { name: 'two', size: 22 },
];
const render = (format: string, quiet?: string): string =>
  renderList(
    kind,
    rows,
    parseListFormat(format, { standard: 'table {{.Name}}\t{{.Size}}', quiet, raw: 'name: {{.Name}}\\n' }),
  );

test('renderList: the standard table, and table by name', () => {
  const table = 'NAME      SIZE\none       1\ntwo       22\n';
  assert.equal(render(''), table);
  assert.equal(render('table'), table);
});

test('renderList: quiet instead of the table, not instead of a template', () => {
  assert.equal(render('', '{{.Name}}'), 'one\ntwo\n');
  assert.equal(render('{{.Size}}', '{{.Name}}'), '1\n22\n');
});

test('renderList: json has the columns sorted by name', () => {
  assert.equal(render('json'), '{"Name":"one","Size":"1"}\n{"Name":"two","Size":"22"}\n');
});

test('renderList: raw, templates with escapes, tables of templates', () => {
  assert.equal(render('raw'), 'name: one\n\nname: two\n\n');
  assert.equal(render('{{.Name}}\\t{{upper .Name}}'), 'one\tONE\ntwo\tTWO\n');
  assert.equal(
    render('table {{upper .Name}}\\t{{pad .Size 1 0}}'),
    'NAME       SIZE\nONE        1\nTWO        22\n',
  );
});

test('renderList: mistakes are named as docker names them', () => {
  assert.throws(() => render('{{.Name'), {
    message: 'template parsing error: template: :1: unclosed action',
  });
  assert.throws(() => render('{{.Nope}}'), {
    message: `template parsing error: template: :1:2: executing "" at <.Nope>: can't evaluate field Nope in type *x.rowContext`,
  });
});
