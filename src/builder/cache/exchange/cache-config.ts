import { invalid } from '#/base/errors.ts';
import { readDigest } from '#/oci/descriptor.ts';
import type { Digest } from '#/oci/digest.ts';
import { type Field, parseJson } from '#/oci/json.ts';
import { layerCompression } from '#/oci/media-types.ts';

/** What the configuration of a cache is called, by BuildKit's name, whose form it has. */
export const cacheConfigType = 'application/vnd.buildkit.cacheconfig.v0';

/** The result of a step as caches carry it from one machine to another: the layer that it made, by the key of the step. */
export interface ExchangedRecord {
  readonly key: Digest;
  readonly diffId: Digest;
  /** The layer's blob. */
  readonly blob: Digest;
  readonly mediaType: string;
  /** Bytes of the blob. */
  readonly size: number;
  /** When the result was made, RFC 3339. */
  readonly created: string;
  /** Which step of which stage it was, and what it did, for people. */
  readonly place: string;
  readonly description: string;
}

const maxBytes = 64 * 1024 * 1024;
const maxRecords = 50_000;
const maxText = 4096;

/**
 * The configuration of a cache in BuildKit's form: layers, and records that name them. The digest of a record is the key of a
 * step of Skiff's, which depends on nothing but what the step does and has; so records have no inputs, and other builders pass
 * over them.
 */
export function encodeCacheConfig(records: readonly ExchangedRecord[]): Buffer {
  const sorted = records.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const layers = new Map<Digest, number>();
  for (const { blob } of sorted) if (!layers.has(blob)) layers.set(blob, layers.size);
  const byBlob = new Map(sorted.map((record) => [record.blob, record]));
  return Buffer.from(
    JSON.stringify({
      layers: [...layers.keys()].map((blob) => {
        const { mediaType, diffId, size } = byBlob.get(blob) as ExchangedRecord;
        return { blob, parent: -1, annotations: { mediaType, diffID: diffId, size } };
      }),
      records: sorted.map(({ key, blob, created, place, description }) => ({
        layers: [{ layer: layers.get(blob), createdAt: created }],
        digest: key,
        skiff: { place, description },
      })),
    }),
  );
}

/** Reads an untrusted configuration. Records of other builders, which nobody here has keys for, are left out. Throws `invalid`. */
export function parseCacheConfig(bytes: Buffer): ExchangedRecord[] {
  const document = parseJson(bytes, { what: 'cache config', maxBytes });
  const layers = document.get('layers').optional((field) => field.list(maxRecords, (layer) => layer)) ?? [];
  const records =
    document.get('records').optional((field) => field.list(maxRecords, (record) => record)) ?? [];
  return records.flatMap((record) => {
    const skiff = record.get('skiff');
    if (!skiff.isPresent) return [];
    const [result, ...more] = record.get('layers').list(maxRecords, (field) => field);
    if (result === undefined || more.length > 0) throw record.error('has not one layer');
    const layer = layers[result.get('layer').count()];
    if (layer === undefined) throw result.error('names a layer that is not there');
    return [
      {
        ...readLayer(layer),
        key: readDigest(record.get('digest')),
        created: shortText(result.get('createdAt')),
        place: shortText(skiff.get('place')),
        description: shortText(skiff.get('description')),
      },
    ];
  });
}

function readLayer(layer: Field): Pick<ExchangedRecord, 'blob' | 'diffId' | 'mediaType' | 'size'> {
  const annotations = layer.get('annotations');
  const mediaType = annotations.get('mediaType').string();
  if (layerCompression(mediaType) === undefined)
    throw annotations.error(`no layer: ${JSON.stringify(mediaType.slice(0, 100))}`);
  return {
    blob: readDigest(layer.get('blob')),
    diffId: readDigest(annotations.get('diffID')),
    mediaType,
    size: annotations.get('size').count(),
  };
}

function shortText(field: Field): string {
  const text = field.string();
  if (text.length > maxText) throw field.error(`longer than ${maxText} characters`);
  return text;
}

/** The member of an image's configuration that has the cache of what made the image. */
const inlineMember = 'moby.buildkit.cache.v0';

/** What an image says of one of its layers: which step made it. */
export type InlineRecord = Pick<ExchangedRecord, 'key' | 'created' | 'place' | 'description' | 'diffId'>;

/** The configuration of an image with the records of the steps that made its layers: a list, whose layers are the image's. */
export function addInlineCache(configBytes: Buffer, records: readonly InlineRecord[]): Buffer {
  const config = JSON.parse(configBytes.toString()) as { rootfs?: { diff_ids?: readonly string[] } };
  const diffIds = config.rootfs?.diff_ids ?? [];
  const cache = records
    .filter(({ diffId }) => diffIds.includes(diffId))
    .map(({ key, diffId, created, place, description }) => ({
      layers: [{ layer: diffIds.lastIndexOf(diffId), createdAt: created }],
      digest: key,
      skiff: { place, description },
    }));
  const member = Buffer.from(JSON.stringify(cache)).toString('base64');
  return Buffer.from(JSON.stringify({ ...config, [inlineMember]: member }));
}

/** The records in the configuration of an untrusted image; nothing if it has none of ours. Throws `invalid`. */
export function readInlineCache(configBytes: Buffer): InlineRecord[] {
  const document = parseJson(configBytes, { what: 'image config', maxBytes });
  const member = document.get(inlineMember).optional((field) => field.string());
  if (member === undefined) return [];
  const diffIds = document.get('rootfs').get('diff_ids').list(maxRecords, readDigest);
  const cache = parseJson(Buffer.from(member, 'base64'), { what: 'inline cache', maxBytes });
  return cache
    .list(maxRecords, (record) => record)
    .flatMap((record) => {
      const skiff = record.get('skiff');
      if (!skiff.isPresent) return [];
      const [result] = record.get('layers').list(maxRecords, (field) => field);
      const diffId = result === undefined ? undefined : diffIds[result.get('layer').count()];
      if (result === undefined || diffId === undefined)
        throw invalid('inline cache: a record without a layer');
      return [
        {
          diffId,
          key: readDigest(record.get('digest')),
          created: shortText(result.get('createdAt')),
          place: shortText(skiff.get('place')),
          description: shortText(skiff.get('description')),
        },
      ];
    });
}
