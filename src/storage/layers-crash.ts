/** A program for layers.test.ts: unpacks layers of many files for ever, and tells its parent about each step. */
import { gzipSync } from 'node:zlib';
import { digestOf } from '#/oci/digest.ts';
import { file, pieces, tarOf } from '#/tar/tar-samples.ts';
import { openStorage } from './layers-storage.ts';

const storage = await openStorage({ root: process.argv[2] ?? '' });
const archive = await tarOf(
  ...Array.from({ length: 500 }, (_, i) => file(`d${i % 50}/f${i}`, `content ${i}`)),
);
for (let round = 0; ; round++) {
  const { digest: blob } = await storage.content.ingest(pieces(gzipSync(archive)));
  process.send?.('stored');
  const onProgress = (): boolean | undefined => process.send?.('unpacking');
  await storage.layers.unpack({ blob, mediaType: 'layer', diffId: digestOf(archive), onProgress });
  process.send?.('unpacked');
  await storage.layers.collect();
  process.send?.('collected');
}
