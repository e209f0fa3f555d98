/** A program for built-layers.test.ts: makes layers as builds do for ever, and tells its parent about each step. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openStorage } from './layers-storage.ts';
import { buildKey } from './unpack-key.ts';

const { layers, snapshots } = await openStorage({ root: process.argv[2] ?? '' });
for (let round = 0; ; round++) {
  const key = buildKey();
  await snapshots.prepare(key);
  const root = snapshots.upperDir(key);
  // More than is hashed without a thread.
  for (let n = 0; n < 20; n += 1) writeFileSync(join(root, String(n)), Buffer.alloc(100_000, round));
  process.send?.('prepared');
  const committed = layers.commitBuilt(key, { parent: undefined });
  process.send?.('committing');
  await committed;
  process.send?.('committed');
  await layers.collect();
  process.send?.('collected');
}
