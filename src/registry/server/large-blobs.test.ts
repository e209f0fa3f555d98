import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { freePort } from '#tests/ports.ts';
import { locationOf, RawRegistry, withDigest } from '#tests/registry-client.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { until } from '#tests/until.ts';

const main = new URL('./main.ts', import.meta.url).pathname;
const block = randomBytes(1024 * 1024);
const blocks = 400;
/** Of the process that serves: what Node takes at rest and some megabytes for each request. */
const maxResident = 300 * 1024 * 1024;

function* content(): Generator<Buffer> {
  for (let index = 0; index < blocks; index += 1) yield block;
}

test('skiff-registry: takes and gives a blob that is larger than its memory may become', async () => {
  using scratch = scratchDir();
  const port = freePort();
  const file = scratch.join('registry.json');
  const listen = [`127.0.0.1:${port}`];
  writeFileSync(
    file,
    JSON.stringify({ listen, data: scratch.join('data'), log: { level: 'error', requests: false } }),
  );
  const child = spawn(process.execPath, [main, '--config', file], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  try {
    const url = `http://127.0.0.1:${port}`;
    const serves = (): Promise<boolean> =>
      fetch(`${url}/v2/`).then(
        ({ ok }) => ok,
        () => false,
      );
    await until(serves, { what: 'the registry serves', patience: 30_000 });
    const hash = createHash('sha256');
    for (const piece of content()) hash.update(piece);
    const digest = `sha256:${hash.digest('hex')}`;
    const target = new URL(withDigest(await new RawRegistry(url).begin('a'), digest), url);
    const put = await fetch(target, {
      method: 'PUT',
      body: Readable.from(content()),
      duplex: 'half',
    } as RequestInit);
    assert.equal(put.status, 201, await put.text());
    const got = await fetch(new URL(locationOf(put), url));
    const check = createHash('sha256');
    for await (const piece of got.body ?? []) check.update(piece as Uint8Array);
    assert.equal(`sha256:${check.digest('hex')}`, digest);
    const resident = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1];
    assert.ok(Number(resident) * 1024 < maxResident, `${resident} kB`);
  } finally {
    child.kill('SIGKILL');
  }
});
