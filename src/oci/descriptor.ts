import { type Digest, isDigest } from './digest.ts';
import type { Field } from './json.ts';
import { type Platform, readPlatform } from './platform.ts';

/** Points to content by its digest (image-spec, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes; what is fetched must have exactly this length. */
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Platform;
}

/** Annotations of one descriptor, manifest or index. */
const maxAnnotations = 1000;

/** A descriptor from an untrusted document. */
export function readDescriptor(field: Field): Descriptor {
  const annotations = field.get('annotations').optional(readAnnotations);
  const platform = field.get('platform').optional(readPlatform);
  return {
    mediaType: readMediaType(field.get('mediaType')),
    digest: readDigest(field.get('digest')),
    size: field.get('size').count(),
    ...(annotations === undefined ? {} : { annotations }),
    ...(platform === undefined ? {} : { platform }),
  };
}

/** A digest from an untrusted document. */
export function readDigest(field: Field): Digest {
  const text = field.string();
  if (!isDigest(text)) throw field.error(`not a digest: ${JSON.stringify(text.slice(0, 100))}`);
  return text;
}

/** Annotations from an untrusted document; they never control what the engine does. */
export function readAnnotations(field: Field): Record<string, string> {
  return field.record(maxAnnotations, (member) => member.string());
}

function readMediaType(field: Field): string {
  const text = field.string();
  if (!/^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/.test(text)) {
    throw field.error(`not a media type: ${JSON.stringify(text.slice(0, 100))}`);
  }
  return text;
}
