import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratchDir } from '#tests/scratch-dir.ts';
import { loadConfig } from './config.ts';
import { parseFlags } from './flags.ts';

const manual = readFileSync(join(import.meta.dirname, '../../../../docs/REGISTRY.md'), 'utf8');

test('docs/REGISTRY.md: every example is a configuration', () => {
  using dir = scratchDir();
  writeFileSync(dir.join('hub-password'), 'secret');
  const examples = [...manual.matchAll(/```json\n(.*?)```/gs)].map((match) => match[1] ?? '');
  assert.ok(examples.length >= 5);
  for (const example of examples) {
    writeFileSync(dir.join('registry.json'), example);
    loadConfig(parseFlags(['--config', dir.join('registry.json')]));
  }
});

test('docs/REGISTRY.md: every key of the configuration is in the table', () => {
  const folder = import.meta.dirname;
  const sources = ['auth', 'collection', 'config', 'edges', 'storage'];
  const keys = sources.flatMap((name) => {
    const text = readFileSync(join(folder, `${name}.ts`), 'utf8');
    const reads =
      /\.(?:text|requiredText|path|requiredPath|url|toggle|number|duration|bytes|choice|texts|section|sections|named)\(\s*'([a-zA-Z]+)'/g;
    return [...text.matchAll(reads)].map((match) => match[1] ?? '');
  });
  assert.ok(keys.length > 50);
  const table = manual.slice(manual.indexOf('## All keys'), manual.indexOf('## Who may do what'));
  const missing = [...new Set(keys)].filter((key) => !new RegExp(`[\`.]${key}[\`.\\[]`).test(table));
  assert.deepEqual(missing, []);
});
