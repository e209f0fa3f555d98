import { invalid } from '#/base/errors.ts';
import { type Digest, isDigest } from './digest.ts';
import { parseJson } from './json.ts';
import { maxLayers } from './manifest.ts';
import { familiarString, parseReference, type Reference } from './reference.ts';

/** One image of the archive that `docker save` writes. Paths are names of entries in the archive. */
export interface DockerArchiveImage {
  readonly config: string;
  readonly names: readonly Reference[];
  /** Lowest first. */
  readonly layers: readonly string[];
  readonly parent: Digest | undefined;
}

const maxBytes = 16 * 1024 * 1024;
const maxImages = 1000;

/** Reads an untrusted `manifest.json`. */
export function parseDockerArchive(bytes: Uint8Array): DockerArchiveImage[] {
  const document = parseJson(bytes, { what: 'manifest.json', maxBytes });
  return document.list(maxImages, (image) => {
    const parent = image.get('Parent').optional((field) => field.string()) ?? '';
    if (parent !== '' && !isDigest(parent)) throw image.get('Parent').error('not a digest');
    return {
      config: image.get('Config').string(),
      names:
        image.get('RepoTags').optional((tags) => tags.list(maxImages, (tag) => readName(tag.string()))) ?? [],
      layers:
        image.get('Layers').optional((layers) => layers.list(maxLayers, (layer) => layer.string())) ?? [],
      parent: isDigest(parent) ? parent : undefined,
    };
  });
}

function readName(text: string): Reference {
  const reference = parseReference(text);
  if (reference.tag === undefined) throw invalid(`invalid tag "${text}"`);
  return { ...reference, digest: undefined };
}

/** One image to be described in the files beside the blobs. */
export interface DockerArchiveEntry {
  readonly config: string;
  readonly names: readonly Reference[];
  readonly parent: Digest | undefined;
  readonly layers: readonly {
    readonly path: string;
    readonly diffId: Digest;
    readonly descriptor: { readonly mediaType: string; readonly size: number; readonly digest: Digest };
  }[];
}

/** `manifest.json` as Docker 25 and later writes it. */
export function encodeDockerArchive(images: readonly DockerArchiveEntry[]): Buffer {
  return Buffer.from(
    JSON.stringify(
      images.map(({ config, names, parent, layers }) => ({
        Config: config,
        RepoTags: names.length === 0 ? null : names.map(familiarString),
        Layers: layers.length === 0 ? null : layers.map(({ path }) => path),
        ...(parent === undefined ? {} : { Parent: parent }),
        LayerSources: Object.fromEntries(layers.map(({ diffId, descriptor }) => [diffId, descriptor])),
      })),
    ),
  );
}
