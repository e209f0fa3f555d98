import { gzipSync } from 'node:zlib';
import type { Descriptor } from '#/oci/descriptor.ts';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { configOf } from '../images.ts';

/** A manifest as it is kept. */
export interface KeptManifest {
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** What one repository has. Everything may be changed by a test. */
export interface KeptRepository {
  readonly blobs: Map<string, Buffer>;
  /** By digest. */
  readonly manifests: Map<string, KeptManifest>;
  readonly tags: Map<string, string>;
  /** Uploads that are not complete, by their id. */
  readonly uploads: Map<string, Buffer>;
}

/** An image in a registry. */
export interface KeptImage {
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** The content of a registry of tests, in memory. Nothing is checked: it keeps nonsense too. */
export class RegistryContent {
  readonly repositories: Map<string, KeptRepository> = new Map<string, KeptRepository>();

  /** The repository, made if there is none. */
  repository(name: string): KeptRepository {
    let found = this.repositories.get(name);
    if (found === undefined) {
      found = { blobs: new Map(), manifests: new Map(), tags: new Map(), uploads: new Map() };
      this.repositories.set(name, found);
    }
    return found;
  }

  /** Keeps a blob, under its own digest or another one. */
  addBlob(name: string, bytes: Uint8Array, digest: Digest = digestOf(bytes)): Descriptor {
    this.repository(name).blobs.set(digest, Buffer.from(bytes));
    return { mediaType: 'application/octet-stream', digest, size: bytes.length };
  }

  /** Keeps a manifest or index, given as an object or as its bytes, under its digest and a tag. */
  addManifest(
    name: string,
    content: object,
    { tag, mediaType, digest }: { tag?: string; mediaType?: string; digest?: Digest } = {},
  ): Descriptor {
    const bytes = Buffer.from(content instanceof Uint8Array ? content : JSON.stringify(content));
    const stated = 'mediaType' in content ? String(content.mediaType) : mediaTypes.manifest;
    const kept = { mediaType: mediaType ?? stated, bytes };
    const key = digest ?? digestOf(bytes);
    this.repository(name).manifests.set(key, kept);
    if (tag !== undefined) this.repository(name).tags.set(tag, key);
    return { mediaType: kept.mediaType, digest: key, size: bytes.length };
  }

  /** Keeps an image of these uncompressed layers (tar archives), packed with gzip. `config` is merged into its configuration. */
  addImage(
    name: string,
    layers: readonly Buffer[],
    { tag, config = {} }: { tag?: string; config?: object } = {},
  ): KeptImage {
    const text = Buffer.from(configOf(layers, config));
    const keptConfig = { ...this.addBlob(name, text), mediaType: mediaTypes.config };
    const keptLayers = layers.map((layer) => ({
      ...this.addBlob(name, gzipSync(layer)),
      mediaType: mediaTypes.layerGzip,
    }));
    const content = {
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: keptConfig,
      layers: keptLayers,
    };
    const manifest = this.addManifest(name, content, tag === undefined ? {} : { tag });
    return { manifest, config: keptConfig, layers: keptLayers };
  }

  /** Keeps an index of what is described. */
  addIndex(
    name: string,
    manifests: readonly object[],
    { tag, more = {} }: { tag?: string; more?: object } = {},
  ): Descriptor {
    const content = { schemaVersion: 2, mediaType: mediaTypes.index, manifests, ...more };
    return this.addManifest(name, content, tag === undefined ? {} : { tag });
  }
}
