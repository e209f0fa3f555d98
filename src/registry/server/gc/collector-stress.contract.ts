import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { silentLogger } from '#/base/log.ts';
import { digestOf } from '#/oci/digest.ts';
import { descriptorOf, imageOf, pushBlob, putManifest } from '#tests/registry-push.ts';
import { startRegistry } from '#tests/registry-server.ts';
import { Collector } from './collector.ts';

/** Few, so that the same blobs become garbage and are pushed again all the time. */
const layers = Array.from({ length: 6 }, (_, index) => Buffer.alloc(20_000 + index, `layer ${index} `));
const config = Buffer.from('{"stress":true}');
const repositories = ['one', 'two'];

/** Pushes an image as clients do, checks all of it, and deletes it; tells whether the registry took it. */
async function pushCheckDelete(url: string, repository: string, tag: string): Promise<boolean> {
  const chosen = [layers[randomInt(layers.length)], layers[randomInt(layers.length)]].filter(
    (one) => one !== undefined,
  );
  for (const blob of [config, ...chosen]) {
    const digest = digestOf(blob);
    const head = await fetch(`${url}/v2/${repository}/blobs/${digest}`, { method: 'HEAD' });
    if (head.status === 200) continue;
    // From anywhere, or else by an upload.
    const mount = await fetch(`${url}/v2/${repository}/blobs/uploads/?mount=${digest}`, { method: 'POST' });
    if (mount.status === 201) continue;
    await fetch(`${url}${mount.headers.get('location') ?? ''}`, { method: 'DELETE' });
    await pushBlob(url, repository, blob);
  }
  const document = imageOf(config, chosen, { annotations: { tag } });
  const put = await putManifest(url, `${repository}:${tag}`, document);
  const { digest } = descriptorOf(document);
  // Without a grace period a blob may go before the manifest comes, but then it is refused.
  if (put.status !== 201) {
    assert.equal(
      ((await put.json()) as { errors: { code: string }[] }).errors[0]?.code,
      'MANIFEST_BLOB_UNKNOWN',
    );
    return false;
  }
  for (const blob of [config, ...chosen]) {
    const got = await fetch(`${url}/v2/${repository}/blobs/${digestOf(blob)}`);
    assert.equal(got.status, 200, `a blob of a stored manifest is gone: ${await (got.ok ? '' : got.text())}`);
    assert.ok(Buffer.from(await got.arrayBuffer()).equals(blob));
  }
  assert.equal(
    (await fetch(`${url}/v2/${repository}/manifests/${digest}`, { method: 'DELETE' })).status,
    202,
  );
  return true;
}

/**
 * Pushes, checks and deletes images while garbage is collected all the time: `rounds` times each of four clients. Without a grace
 * period the collector rests up to `pause` milliseconds: some pushes get through between two collections, most do not.
 */
export function testCollectorStress(
  storage: string,
  { rounds, pause }: { rounds: number; pause: number },
): void {
  // The second one is more than a push takes, also on a machine with much else to do.
  for (const grace of [0, 30_000]) {
    test(`Collector: on ${storage}, with a grace of ${grace} ms, collecting all the time loses nothing that is referred to`, async () => {
      await using registry = await startRegistry({ leaseRenewal: 0 });
      const { url, services } = registry;
      const collector = new Collector({
        services,
        policy: { rules: [], deleteUntaggedAfter: 1 },
        grace,
        uploadTimeout: 60_000,
        log: silentLogger(),
      });
      let removed = 0;
      let done = false;
      const collecting = (async () => {
        while (!done) {
          removed += (await collector.run({ dryRun: false })).blobs;
          if (grace === 0) await delay(randomInt(pause));
        }
      })();
      const pushers = repositories.flatMap((repository) =>
        [0, 1].map(async (pusher) => {
          let taken = 0;
          for (let round = 0; round < rounds; round += 1) {
            if (await pushCheckDelete(url, repository, `p${pusher}-${round}`)) taken += 1;
          }
          return taken;
        }),
      );
      const taken = (
        await Promise.all(pushers).finally(() => {
          done = true;
        })
      ).reduce((sum, one) => sum + one, 0);
      await collecting;
      // The last ones are garbage now, whether or not the collector came to any before.
      removed += (await collector.run({ dryRun: false })).blobs;
      assert.ok(taken > 0);
      if (grace === 0) assert.ok(removed > 0);
      // Leases keep every push from being refused.
      else assert.equal(taken, repositories.length * 2 * rounds);
    });
  }
}
