import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { digestOf } from '#/oci/digest.ts';
import { freePort } from '#tests/ports.ts';
import { descriptorOf, imageOf, putManifest } from '#tests/registry-push.ts';
import { type ScratchDir, scratchDir } from '#tests/scratch-dir.ts';
import { until } from '#tests/until.ts';

const main = new URL('./main.ts', import.meta.url).pathname;
const kills = 6;

/** Starts skiff-registry in a process of its own and waits until it serves. */
async function start(scratch: ScratchDir, port: number): Promise<ChildProcess> {
  const config = scratch.join('registry.json');
  writeFileSync(
    config,
    JSON.stringify({ listen: [`127.0.0.1:${port}`], data: scratch.join('data'), log: { level: 'error' } }),
  );
  const child = spawn(process.execPath, [main, '--config', config], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const answers = (): Promise<boolean> =>
    fetch(`http://127.0.0.1:${port}/v2/`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until(answers, { what: 'the registry serves', patience: 20_000 });
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Pushes images until the registry is gone; returns what it took, digest by digest. */
async function pushUntilGone(url: string, taken: Map<string, Buffer>): Promise<void> {
  try {
    for (;;) {
      const [config, layer] = [
        Buffer.from(JSON.stringify({ at: randomInt(1e9) })),
        randomBytes(randomInt(400_000)),
      ];
      for (const blob of [config, layer]) {
        const begun = await fetch(`${url}/v2/app/blobs/uploads/`, { method: 'POST' });
        const location = `${url}${begun.headers.get('location') ?? ''}`;
        await fetch(location, { method: 'PATCH', body: blob });
        const ended = await fetch(`${location}?digest=${digestOf(blob)}`, { method: 'PUT' });
        if (ended.status === 201) taken.set(`blobs/${digestOf(blob)}`, blob);
      }
      const document = imageOf(config, [layer]);
      const put = await putManifest(url, `app:t${randomInt(1e9)}`, document);
      if (put.status === 201) {
        taken.set(`manifests/${descriptorOf(document).digest}`, Buffer.from(JSON.stringify(document)));
      }
    }
  } catch (error) {
    // Only that nobody answers any more.
    if (!(error instanceof TypeError)) throw error;
  }
}

test('skiff-registry: killed at any moment, it keeps what it took and sweeps the rest at its next start', async () => {
  using scratch = scratchDir();
  const port = freePort();
  const url = `http://127.0.0.1:${port}`;
  const taken = new Map<string, Buffer>();
  for (let round = 0; round < kills; round += 1) {
    const child = await start(scratch, port);
    const pushing = Promise.all([pushUntilGone(url, taken), pushUntilGone(url, taken)]);
    await delay(randomInt(20, 300));
    await kill(child);
    await pushing;
  }
  const child = await start(scratch, port);
  try {
    for (const [path, content] of taken) {
      const response = await fetch(`${url}/v2/app/${path}`);
      assert.equal(response.status, 200, path);
      assert.ok(Buffer.from(await response.arrayBuffer()).equals(content), path);
    }
    assert.ok(taken.size > 0);
    // Uploads that a client could still go on with may be there, and nothing else beside the blobs of the repository.
    for (const id of readdirSync(scratch.join('data', 'uploads'))) {
      assert.equal((await fetch(`${url}/v2/app/blobs/uploads/${id}`)).status, 204);
      assert.equal((await fetch(`${url}/v2/app/blobs/uploads/${id}`, { method: 'DELETE' })).status, 204);
    }
    for (const name of readdirSync(scratch.join('data', 'blobs'), { recursive: true, encoding: 'utf8' })) {
      const hex = /^sha256\/..\/([0-9a-f]{64})$/.exec(name)?.[1];
      if (hex === undefined) continue;
      assert.equal(
        (await fetch(`${url}/v2/app/blobs/sha256:${hex}`, { method: 'HEAD' })).status,
        200,
        `${hex} is left over`,
      );
    }
  } finally {
    await kill(child);
  }
});
