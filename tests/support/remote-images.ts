import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import type { Descriptor } from '#/oci/descriptor.ts';
import { digestOf } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { configOf } from './images.ts';

/** What an image in a registry is made of. */
export interface RemoteImageWish {
  /** Uncompressed archives, lowest first. */
  readonly layers: readonly Buffer[];
  readonly tag?: string;
  /** Members of the configuration, beside those that every image has. */
  readonly config?: object;
  /** How layers are packed, and called. */
  readonly pack?: { readonly mediaType: string; readonly bytes: (layer: Buffer) => Buffer };
}

/** An image that was put into a registry. */
export interface RemoteImageMade {
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

const gzip = { mediaType: mediaTypes.layerGzip, bytes: (layer: Buffer) => gzipSync(layer) };

/** Puts images into one repository of a registry, as its protocol says and without Skiff's client. */
export class RemoteImages {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;

  /** `host` is the registry's, spoken to without TLS. */
  constructor(host: string, repository: string, headers: Readonly<Record<string, string>> = {}) {
    this.#base = `http://${host}/v2/${repository}/`;
    this.#headers = headers;
  }

  async blob(bytes: Buffer, mediaType: string = 'application/octet-stream'): Promise<Descriptor> {
    const digest = digestOf(bytes);
    const begun = await this.#ask('POST', 'blobs/uploads/');
    assert.equal(begun.status, 202);
    const place = new URL(begun.headers.get('location') ?? '', this.#base);
    place.searchParams.set('digest', digest);
    const done = await this.#ask('PUT', place.href, { type: 'application/octet-stream', bytes });
    assert.equal(done.status, 201, await done.text());
    return { mediaType, digest, size: bytes.length };
  }

  /** Puts a document under a tag, or under its digest. */
  async manifest(document: object, mediaType: string, tag?: string): Promise<Descriptor> {
    const bytes = Buffer.from(JSON.stringify(document));
    const digest = digestOf(bytes);
    const done = await this.#ask('PUT', `manifests/${tag ?? digest}`, { type: mediaType, bytes });
    assert.equal(done.status, 201, await done.text());
    return { mediaType, digest, size: bytes.length };
  }

  async image({ layers, tag, config = {}, pack = gzip }: RemoteImageWish): Promise<RemoteImageMade> {
    const packed = await Promise.all(layers.map((layer) => this.blob(pack.bytes(layer), pack.mediaType)));
    const configured = await this.blob(Buffer.from(configOf(layers, config)), mediaTypes.config);
    const document = { schemaVersion: 2, mediaType: mediaTypes.manifest, config: configured, layers: packed };
    const manifest = await this.manifest(document, mediaTypes.manifest, tag);
    return { manifest, config: configured, layers: packed };
  }

  index(manifests: readonly object[], tag?: string): Promise<Descriptor> {
    return this.manifest({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }, mediaTypes.index, tag);
  }

  #ask(method: string, path: string, body?: { type: string; bytes: Buffer }): Promise<Response> {
    return fetch(new URL(path, this.#base), {
      method,
      headers: { ...this.#headers, ...(body === undefined ? {} : { 'Content-Type': body.type }) },
      ...(body === undefined ? {} : { body: new Uint8Array(body.bytes) }),
    });
  }
}
