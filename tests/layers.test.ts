import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

/** Which folder may import which: docs/ARCHITECTURE.md explains why. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  base: [],
  oci: ['base'],
  wire: ['base'],
  tar: ['base'],
  dockerfile: ['base', 'oci'],
  kernel: ['base'],
  state: ['base'],
  storage: ['base', 'tar', 'oci', 'kernel', 'state'],
  runtime: ['base', 'oci', 'kernel'],
  network: ['base', 'kernel', 'state'],
  distribution: ['base', 'oci'],
  registry: ['base', 'oci', 'state', 'storage', 'distribution'],
  builder: [
    'base',
    'tar',
    'oci',
    'dockerfile',
    'kernel',
    'state',
    'storage',
    'runtime',
    'network',
    'distribution',
    'registry',
  ],
  engine: [
    'base',
    'tar',
    'oci',
    'dockerfile',
    'wire',
    'kernel',
    'state',
    'storage',
    'runtime',
    'network',
    'distribution',
    'registry',
  ],
  api: ['base', 'oci', 'dockerfile', 'wire', 'distribution', 'registry', 'builder', 'engine'],
  daemon: [
    'base',
    'oci',
    'wire',
    'kernel',
    'state',
    'storage',
    'runtime',
    'network',
    'distribution',
    'registry',
    'builder',
    'engine',
    'api',
  ],
  client: ['base', 'wire'],
  cli: ['base', 'tar', 'oci', 'dockerfile', 'wire', 'distribution', 'client'],
};

/** Packages that only one file may load. */
const exclusive: Readonly<Record<string, string>> = {
  koffi: 'src/kernel/libc.ts',
  'node:sqlite': 'src/state/db.ts',
};

const root = join(import.meta.dirname, '..');

function sources(): string[] {
  return readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `src/${name}`);
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  const found = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\s[^;'"]*?from\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)import\s+['"]([^'"]+)['"]/g,
  );
  return [...found].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

test('layers: every import goes down the table', () => {
  const wrong: string[] = [];
  for (const file of sources()) {
    const layer = file.split('/')[1] ?? '';
    const may = allowed[layer];
    if (may === undefined) {
      wrong.push(`${file}: unknown folder src/${layer}`);
      continue;
    }
    for (const target of importsOf(file)) {
      if (target.startsWith('#/')) {
        const other = target.split('/')[1] ?? '';
        if (other === layer) wrong.push(`${file}: import ${target} relatively, it is the same folder`);
        else if (!may.includes(other)) wrong.push(`${file}: ${layer} must not import ${target}`);
      } else if (target.startsWith('.')) {
        const inside = join('/', file, '..', target).startsWith(`/src/${layer}/`);
        if (!inside) wrong.push(`${file}: ${target} leaves src/${layer}; use #/`);
      } else {
        const only = exclusive[target];
        if (only !== undefined && only !== file) wrong.push(`${file}: only ${only} imports ${target}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test('layers: the scan sees the sources', () => {
  assert.ok(sources().length > 3);
});
