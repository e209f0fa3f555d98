import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ExitError } from '../command.ts';
import { inspectAll } from './inspect.ts';
import { containerShape } from './shapes/container.ts';

const testdata = (name: string): string => readFileSync(join(import.meta.dirname, 'testdata', name), 'utf8');
const raw = testdata('container.json');

/** What `docker container inspect --format` (28.2) printed for container.json. */
const recorded = JSON.parse(testdata('inspect-templates.json')) as readonly {
  readonly template: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
}[];

async function inspect(format: string, names: readonly string[] = ['x']) {
  let stdout = '';
  const find = async (name: string) => {
    if (name === 'missing') throw new Error('No such container: missing');
    return { raw, shape: containerShape };
  };
  try {
    await inspectAll({ stdout: { write: (text) => (stdout += text) } }, names, { format, find });
  } catch (error) {
    assert.ok(error instanceof ExitError, String(error));
    return { stdout, stderr: `${error.message}\n`, status: error.code };
  }
  return { stdout, stderr: '', status: 0 };
}

for (const { template, ...expected } of recorded) {
  test(`inspectAll: ${JSON.stringify(template)} is as with docker`, async () => {
    assert.deepEqual(await inspect(template), expected);
  });
}

test('inspectAll: without a format prints the JSON indented by four', async () => {
  const { stdout } = await inspect('');
  assert.equal(stdout, `${JSON.stringify([JSON.parse(raw)], null, 4)}\n`);
});

test('inspectAll: json prints it in one line', async () => {
  const { stdout } = await inspect('json');
  assert.equal(stdout, `${JSON.stringify([JSON.parse(raw)])}\n`);
});

test('inspectAll: what is missing fails after the rest is printed', async () => {
  assert.deepEqual(await inspect('{{.Name}}', ['x', 'missing']), {
    stdout: '/golden\n',
    stderr: 'No such container: missing\n',
    status: 1,
  });
  assert.equal((await inspect('', ['missing'])).stdout, '[]\n');
  assert.equal((await inspect('{{.Name}}', ['missing'])).stdout, '\n');
});
