import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Digest, digestOf, hexOf } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { fileHeader } from '#/tar/tar-entry.ts';
import { tarOf } from './images.ts';

/**
 * Writes an OCI image layout (image-spec, image-layout.md) with one image for several platforms, called `latest`, and returns the
 * digests of all its blobs.
 */
export async function writeOciLayout(folder: string, architectures: readonly string[]): Promise<Digest[]> {
  const written: Digest[] = [];
  mkdirSync(join(folder, 'blobs', 'sha256'), { recursive: true });
  const put = (content: Buffer, mediaType: string): { mediaType: string; digest: Digest; size: number } => {
    const digest = digestOf(content);
    writeFileSync(join(folder, 'blobs', 'sha256', hexOf(digest)), content);
    written.push(digest);
    return { mediaType, digest, size: content.length };
  };
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
  const manifests: object[] = [];
  for (const architecture of architectures) {
    const file = Buffer.from(`for ${architecture}`.repeat(5000));
    const tar = await tarOf({}, [{ ...fileHeader('arch', file.length), body: [file] }]);
    const layer = put(gzipSync(tar), mediaTypes.layerGzip);
    const rootfs = { type: 'layers', diff_ids: [digestOf(tar)] };
    const config = put(json({ architecture, os: 'linux', config: {}, rootfs }), mediaTypes.config);
    const mediaType = mediaTypes.manifest;
    const manifest = put(json({ schemaVersion: 2, mediaType, config, layers: [layer] }), mediaType);
    manifests.push({ ...manifest, platform: { os: 'linux', architecture } });
  }
  const index = put(json({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }), mediaTypes.index);
  const annotations = { 'org.opencontainers.image.ref.name': 'latest' };
  writeFileSync(
    join(folder, 'index.json'),
    json({ schemaVersion: 2, manifests: [{ ...index, annotations }] }),
  );
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  return written;
}
