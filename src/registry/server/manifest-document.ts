import { isKind } from '#/base/errors.ts';
import { type Descriptor, readDescriptor } from '#/oci/descriptor.ts';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { type Field, parseJson } from '#/oci/json.ts';
import { kindOf, maxManifestBytes } from '#/oci/manifest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { manifestInvalid } from './errors.ts';
import type { ManifestRecord, ManifestReference } from './metadata/metadata.ts';

/** More than any real image or index has; a manifest of 4 MiB could hold no more than 25,000. */
const maxDescriptors = 10_000;
const maxAnnotations = 1000;
/** Layers that may not be pushed anywhere but to their vendor's registry (image-spec 1.0; Docker's foreign layers). */
const nondistributable =
  /^application\/vnd\.(?:oci\.image\.layer\.nondistributable\.|docker\.image\.rootfs\.foreign\.)/;

/** A manifest as a client sends it. */
export interface PushedManifest {
  readonly content: Buffer;
  /** Of the Content-Type header, without parameters; undefined if there was none. */
  readonly mediaType: string | undefined;
  /** Under which it is pushed; undefined for a push by tag. */
  readonly digest: Digest | undefined;
}

/**
 * Reads what a registry must know of a manifest or index. It checks less than an engine that would run it: artifacts have
 * configurations and layers of any type. But it is always one kind of document, and the one that it was announced as
 * (CVE-2021-41190). Throws MANIFEST_INVALID.
 */
export function readPushedManifest({ content, mediaType, digest }: PushedManifest): ManifestRecord {
  try {
    const document = parseJson(content, { what: 'manifest', maxBytes: maxManifestBytes });
    const stated = document.get('mediaType').optional((field) => field.string());
    const type = mediaType ?? stated;
    if (type === undefined) {
      throw manifestInvalid(
        'the type of the manifest is not known: send Content-Type, or mediaType in the document',
      );
    }
    if (stated !== undefined && stated !== type) {
      throw manifestInvalid(`the manifest says that it is "${stated}", but was sent as "${type}"`);
    }
    const kind = kindOf(type);
    if (kind === undefined) throw manifestInvalid(unknownType(type));
    const version = document.get('schemaVersion').integer();
    if (version !== 2)
      throw manifestInvalid(`the manifest has schema version ${version}, only 2 is supported`);
    const read = kind === 'index' ? readIndex(document) : readImage(document);
    const subject = document.get('subject').optional(readDescriptor);
    return {
      ...read,
      digest: digest ?? digestOf(content),
      mediaType: type,
      content,
      subject: subject?.digest,
      annotations: document
        .get('annotations')
        .optional((field) => field.record(maxAnnotations, (one) => one.string())),
    };
  } catch (error) {
    if (isKind(error, 'invalid') || isKind(error, 'tooLarge')) throw manifestInvalid(error.message);
    throw error;
  }
}

type Read = Pick<ManifestRecord, 'references' | 'artifactType'>;

function readImage(document: Field): Read {
  refuseMembers(document, ['manifests', 'fsLayers'], 'an image manifest');
  const config = readDescriptor(document.get('config'));
  const layers = document.get('layers').optional((field) => field.list(maxDescriptors, readLayer)) ?? [];
  const present = layers.filter((layer) => layer !== undefined);
  return {
    references: [config, ...present].map(({ digest }) => ({ digest, kind: 'blob' })),
    artifactType: artifactTypeOf(document) ?? config.mediaType,
  };
}

function readIndex(document: Field): Read {
  refuseMembers(document, ['config', 'layers', 'fsLayers'], 'an index');
  const manifests =
    document.get('manifests').optional((field) => field.list(maxDescriptors, readDescriptor)) ?? [];
  return {
    references: manifests.map(({ digest }): ManifestReference => ({ digest, kind: 'manifest' })),
    artifactType: artifactTypeOf(document),
  };
}

/** Undefined for a layer that does not have to be here. */
function readLayer(field: Field): Descriptor | undefined {
  const layer = readDescriptor(field);
  return nondistributable.test(layer.mediaType) ? undefined : layer;
}

function artifactTypeOf(document: Field): string | undefined {
  const type = document.get('artifactType').optional((field) => field.string());
  return type === '' ? undefined : type;
}

function refuseMembers(document: Field, names: readonly string[], kind: string): void {
  const foreign = names.find((name) => document.has(name));
  if (foreign !== undefined) throw manifestInvalid(`${kind} must not have a member "${foreign}"`);
}

function unknownType(type: string): string {
  if (type.startsWith('application/vnd.docker.distribution.manifest.v1+') || type === 'application/json') {
    return `"${type}" is Docker's image manifest of schema 1, which is not supported any more; push with a newer client`;
  }
  return `manifests of type "${type}" are not supported, only ${manifestTypes.join(', ')}`;
}

/** The types of manifests and indexes that can be pushed. */
const manifestTypes = [
  mediaTypes.manifest,
  mediaTypes.index,
  mediaTypes.dockerManifest,
  mediaTypes.dockerIndex,
];
