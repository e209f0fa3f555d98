import { createHash } from 'node:crypto';
import { invalid } from '#/base/errors.ts';
import type { Repository } from '#/distribution/repository.ts';
import { type Descriptor, readDescriptor } from '#/oci/descriptor.ts';
import { algorithmOf, type Digest, hexOf, parseDigest } from '#/oci/digest.ts';
import { parseJson } from '#/oci/json.ts';
import { kindOf, maxManifestBytes, parseManifest } from '#/oci/manifest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { hostPlatform, type Platform, platformRank } from '#/oci/platform.ts';
import type { ChainId } from '#/storage/chain-id.ts';
import type { Hold } from '#/storage/holds.ts';
import type { ImageParts } from '#/storage/images/record.ts';
import { cacheConfigType, type ExchangedRecord, parseCacheConfig, readInlineCache } from './cache-config.ts';
import type { ClientContent } from './client-content.ts';

/** Where a cache is read from. */
export type CacheReader =
  | { readonly kind: 'registry'; readonly repository: Repository; readonly tag: string }
  | { readonly kind: 'local'; readonly content: ClientContent; readonly digest: string };

/** Something that was found in a cache, to be fetched when it is needed. */
export interface ImportedRecord extends ExchangedRecord {
  readonly reader: CacheReader;
}

const maxConfigBytes = 64 * 1024 * 1024;
const maxEntries = 50_000;

/** Results of steps that are elsewhere. A place that cannot be read has none: a cache is a help and not a need. */
export class ImportedCache {
  readonly #parts: ImageParts;
  readonly #records = new Map<Digest, ImportedRecord>();

  constructor(parts: ImageParts) {
    this.#parts = parts;
  }

  /** How many steps' results are known. */
  get size(): number {
    return this.#records.size;
  }

  /** Adds what a place has. What was added before counts first. Throws what reading fails with. */
  async add(
    reader: CacheReader,
    options: { platform?: Platform | undefined; signal: AbortSignal },
  ): Promise<void> {
    for (const record of await recordsOf(reader, options)) {
      if (!this.#records.has(record.key)) this.#records.set(record.key, { ...record, reader });
    }
  }

  /** The result of a step by its key. */
  find(key: Digest): ImportedRecord | undefined {
    return this.#records.get(key);
  }

  /** Brings the layer of a result on top of `parent`, which must be there. Throws what fetching fails with, `invalid` for wrong content. */
  async fetch(
    record: ImportedRecord,
    { parent, hold, signal }: { parent: ChainId | undefined; hold: Hold<ChainId>; signal: AbortSignal },
  ): Promise<ChainId> {
    const { content, layers, images, archives } = this.#parts;
    const { blob, mediaType, diffId, size } = record;
    await using stack = new AsyncDisposableStack();
    // The hold is let go first, then goes what did not become part of a layer.
    stack.defer(() => images.dropBlob(blob));
    const blobs = stack.use(content.hold());
    blobs.add(blob);
    if (!(await content.has(blob))) {
      const bytes = openBlob(record.reader, { mediaType, digest: blob, size }, signal);
      await content.ingest(bytes, { expected: blob, maxBytes: size, hold: blobs });
    }
    const layer = await layers.unpack({ parent, blob, mediaType, diffId, hold, signal });
    await archives.compact(layer.chainId);
    return layer.chainId;
  }
}

async function recordsOf(
  reader: CacheReader,
  { platform = hostPlatform(), signal }: { platform?: Platform | undefined; signal: AbortSignal },
): Promise<ExchangedRecord[]> {
  const top = await readTop(reader, signal);
  if (kindOf(top.mediaType) === 'index') {
    const entries = parseJson(top.bytes, { what: 'cache index', maxBytes: maxManifestBytes })
      .get('manifests')
      .list(maxEntries, readDescriptor);
    // BuildKit's older form: the configuration is an entry beside the layers.
    const config = entries.find(({ mediaType }) => mediaType === cacheConfigType);
    if (config !== undefined) return parseCacheConfig(await readBlob(reader, config, signal));
    const image = bestOf(entries, platform);
    if (image === undefined) return [];
    return recordsOfManifest(reader, await readDocument(reader, image, signal), signal);
  }
  return recordsOfManifest(reader, top.bytes, signal);
}

/** Of a cache, or of an image that carries its own. */
async function recordsOfManifest(
  reader: CacheReader,
  bytes: Buffer,
  signal: AbortSignal,
): Promise<ExchangedRecord[]> {
  const document = parseJson(bytes, { what: 'cache manifest', maxBytes: maxManifestBytes });
  const config = readDescriptor(document.get('config'));
  if (config.mediaType === cacheConfigType) return parseCacheConfig(await readBlob(reader, config, signal));
  const stated = document.get('mediaType').optional((field) => field.string()) ?? mediaTypes.manifest;
  const manifest = parseManifest(bytes, stated);
  if (manifest.kind !== 'manifest') throw invalid('a cache manifest is an index of another kind');
  const configBytes = await readBlob(reader, manifest.config, signal);
  const diffIds = parseJson(configBytes, { what: 'image config', maxBytes: maxConfigBytes })
    .get('rootfs')
    .get('diff_ids')
    .list(maxEntries, (field) => parseDigest(field.string()));
  return readInlineCache(configBytes).flatMap((record) => {
    const layer = manifest.layers[diffIds.lastIndexOf(record.diffId)];
    if (layer === undefined) return [];
    return [{ ...record, blob: layer.digest, mediaType: layer.mediaType, size: layer.size }];
  });
}

function bestOf(entries: readonly Descriptor[], platform: Platform): Descriptor | undefined {
  const ranked = entries
    .filter(({ mediaType }) => kindOf(mediaType) === 'manifest')
    .map((descriptor) => ({
      descriptor,
      rank: descriptor.platform === undefined ? 1 : platformRank(platform, descriptor.platform),
    }))
    .filter(({ rank }) => rank > 0);
  return ranked.toSorted((a, b) => b.rank - a.rank)[0]?.descriptor;
}

async function readTop(
  reader: CacheReader,
  signal: AbortSignal,
): Promise<{ mediaType: string; bytes: Buffer }> {
  if (reader.kind === 'registry') {
    const { descriptor, bytes } = await reader.repository.manifest(reader.tag, { signal });
    return { mediaType: descriptor.mediaType, bytes };
  }
  const digest = parseDigest(reader.digest);
  const size = await reader.content.size(digest, { signal });
  if (size === undefined) throw invalid(`the cache has no manifest ${digest}`);
  const bytes = await readBlob(reader, { mediaType: mediaTypes.manifest, digest, size }, signal);
  const stated = parseJson(bytes, { what: 'cache manifest', maxBytes: maxManifestBytes })
    .get('mediaType')
    .optional((field) => field.string());
  return { mediaType: stated ?? mediaTypes.manifest, bytes };
}

function readDocument(reader: CacheReader, descriptor: Descriptor, signal: AbortSignal): Promise<Buffer> {
  if (reader.kind === 'local') return readBlob(reader, descriptor, signal);
  return reader.repository.manifest(descriptor.digest, { signal }).then(({ bytes }) => bytes);
}

/** A small blob, verified. */
async function readBlob(reader: CacheReader, descriptor: Descriptor, signal: AbortSignal): Promise<Buffer> {
  const { digest, size } = descriptor;
  if (size > maxConfigBytes)
    throw invalid(`cache document ${digest} has ${size} bytes, more than ${maxConfigBytes}`);
  const chunks: Uint8Array[] = [];
  let read = 0;
  for await (const chunk of openBlob(reader, descriptor, signal)) {
    read += chunk.length;
    if (read > size) break;
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  const actual = createHash(algorithmOf(digest)).update(bytes).digest('hex');
  if (read !== size || actual !== hexOf(digest))
    throw invalid(`cache document ${digest} came with other content`);
  return bytes;
}

function openBlob(
  reader: CacheReader,
  descriptor: Descriptor,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  if (reader.kind === 'registry') return reader.repository.download(descriptor, { signal });
  return reader.content.read(descriptor, { signal });
}
