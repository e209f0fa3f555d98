import assert from 'node:assert/strict';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';

/** A blob or manifest as other documents refer to it. */
export interface Pushed {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

/** Uploads a blob in one request and returns its digest. */
export async function pushBlob(url: string, repository: string, content: Buffer): Promise<Digest> {
  const digest = digestOf(content);
  const response = await fetch(`${url}/v2/${repository}/blobs/uploads/?digest=${digest}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/octet-stream' },
    body: content,
  });
  assert.equal(response.status, 201, await response.text());
  return digest;
}

/** A manifest or index as JSON. */
export interface ManifestDocument {
  readonly mediaType: string;
  readonly [member: string]: unknown;
}

/** Sends a document as a manifest; `name` is a tag or a digest. */
export async function putManifest(url: string, name: string, document: ManifestDocument): Promise<Response> {
  const [repository = '', reference = ''] = name.split(/[:@](.*)/s);
  return fetch(`${url}/v2/${repository}/manifests/${reference}`, {
    method: 'PUT',
    headers: { 'Content-Type': document.mediaType },
    body: JSON.stringify(document),
  });
}

/** An image manifest over blobs. */
export function imageOf(config: Buffer, layers: readonly Buffer[], rest: object = {}): ManifestDocument {
  const descriptor = (mediaType: string, content: Buffer): Pushed => ({
    mediaType,
    digest: digestOf(content),
    size: content.length,
  });
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: descriptor(mediaTypes.config, config),
    layers: layers.map((layer) => descriptor(mediaTypes.layer, layer)),
    ...rest,
  };
}

/** The descriptor of a document that is pushed as it is here. */
export function descriptorOf(document: ManifestDocument): Pushed {
  const bytes = Buffer.from(JSON.stringify(document));
  return { mediaType: document.mediaType, digest: digestOf(bytes), size: bytes.length };
}
