import { invalid } from '#/base/errors.ts';
import { type Descriptor, readAnnotations, readDescriptor } from './descriptor.ts';
import { type Field, parseJson } from './json.ts';
import { layerCompression, mediaTypes } from './media-types.ts';

/** One image for one platform: its configuration and its layers, lowest first (image-spec, manifest.md). */
export interface Manifest {
  readonly kind: 'manifest';
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Several manifests, most often of one image for several platforms (image-spec, image-index.md). */
export interface Index {
  readonly kind: 'index';
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
}

/** Bytes of a manifest or index; what registries accept at most. */
export const maxManifestBytes: number = 4 * 1024 * 1024;
/** Layers of one image; the kernel's overlay takes 500. */
export const maxLayers = 500;
const maxManifests = 1000;

/**
 * Reads a manifest or an index. What it is comes from `mediaType`, under which it was announced; the document must
 * agree and must not have the members of the other kind, so that nobody can be shown two different images under one
 * digest (CVE-2021-41190).
 */
export function parseManifest(bytes: Uint8Array, mediaType: string): Manifest | Index {
  const kind = kindOf(mediaType);
  if (kind === undefined)
    throw invalid(`media type "${mediaType}" is neither an image manifest nor an index`);
  const document = parseJson(bytes, { what: kind, maxBytes: maxManifestBytes });
  const version = document.get('schemaVersion').integer();
  if (version !== 2) throw invalid(`${kind} has schema version ${version}; only version 2 is supported`);
  const stated = document.get('mediaType').optional((field) => field.string());
  if (stated !== undefined && stated !== mediaType) {
    throw invalid(`${kind} says that it is "${stated}", but was announced as "${mediaType}"`);
  }
  return kind === 'index' ? readIndex(document, mediaType) : readManifest(document, mediaType);
}

/** Reads back a manifest that was checked when it was stored: what it is, it says itself, or it is the OCI kind. */
export function parseStoredManifest(bytes: Uint8Array): Manifest {
  const document = parseManifest(bytes, statedType(bytes) ?? mediaTypes.manifest);
  if (document.kind === 'manifest') return document;
  throw invalid('the stored manifest of an image is an index');
}

/** As `parseStoredManifest`, for an index. */
export function parseStoredIndex(bytes: Uint8Array): Index {
  const document = parseManifest(bytes, statedType(bytes) ?? mediaTypes.index);
  if (document.kind === 'index') return document;
  throw invalid('the stored index of images is a manifest');
}

/** What a document says that it is. */
function statedType(bytes: Uint8Array): string | undefined {
  const document = parseJson(bytes, { what: 'manifest', maxBytes: maxManifestBytes });
  return document.get('mediaType').optional((field) => field.string());
}

/** Tells what a media type announces; undefined if it is neither. */
export function kindOf(mediaType: string): 'manifest' | 'index' | undefined {
  if (mediaType === mediaTypes.manifest || mediaType === mediaTypes.dockerManifest) return 'manifest';
  if (mediaType === mediaTypes.index || mediaType === mediaTypes.dockerIndex) return 'index';
  return undefined;
}

/** The bytes of a manifest for an image that came without one; the same image gives the same bytes. */
export function encodeManifest(
  config: Descriptor,
  layers: readonly Descriptor[],
  annotations?: Manifest['annotations'],
): Buffer {
  const plain = ({ mediaType, digest, size }: Descriptor): object => ({ mediaType, digest, size });
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: plain(config),
      layers: layers.map(plain),
      annotations,
    }),
  );
}

function readIndex(document: Field, mediaType: string): Index {
  refuseMembers(document, ['config', 'layers', 'fsLayers'], 'index');
  return {
    kind: 'index',
    mediaType,
    manifests: document.get('manifests').list(maxManifests, readDescriptor),
  };
}

function readManifest(document: Field, mediaType: string): Manifest {
  refuseMembers(document, ['manifests', 'fsLayers'], 'manifest');
  const config = readDescriptor(document.get('config'));
  if (config.mediaType !== mediaTypes.config && config.mediaType !== mediaTypes.dockerConfig) {
    throw invalid(`manifest.config: "${config.mediaType}" is not the configuration of a container image`);
  }
  const layers = document.get('layers').list(maxLayers, readLayer);
  for (const [index, layer] of layers.entries()) {
    if (layerCompression(layer.mediaType) === undefined) {
      throw invalid(`manifest.layers[${index}]: layers of type "${layer.mediaType}" are not supported`);
    }
  }
  const annotations = document.get('annotations').optional(readAnnotations);
  return { kind: 'manifest', mediaType, config, layers, ...(annotations && { annotations }) };
}

/** A layer that its registry holds. Those that only have an address elsewhere are not fetched, whatever that is. */
function readLayer(field: Field): Descriptor {
  const urls = field.get('urls').optional((f) => f.list(maxLayers, (url) => url.string())) ?? [];
  if (urls.length > 0) {
    throw field.error(`foreign layers, which are fetched from elsewhere (${urls[0]}), are not supported`);
  }
  return readDescriptor(field);
}

function refuseMembers(document: Field, names: readonly string[], kind: string): void {
  const foreign = names.find((name) => document.has(name));
  if (foreign !== undefined) throw invalid(`${kind} must not have a member "${foreign}"`);
}
