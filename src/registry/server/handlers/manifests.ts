import { createHash } from 'node:crypto';
import { accepts, platformChild } from '../accept.ts';
import type { Call } from '../call.ts';
import {
  digestInvalid,
  manifestBlobUnknown,
  manifestInvalid,
  manifestUnknown,
  methodUnsupported,
  nameInvalid,
  nameUnknown,
} from '../errors.ts';
import { readPushedManifest } from '../manifest-document.ts';
import type { ManifestName, StoredManifest } from '../metadata/metadata.ts';
import { isTag, parseManifestReference } from '../names.ts';
import type { Services } from '../services.ts';
import { matches } from './blobs.ts';

/** Tags that one push may set (end-7b). */
const maxTags = 100;

interface Target {
  readonly repository: string;
  readonly last: string;
}

/** `/v2/<name>/manifests/<tag-or-digest>` (end-3, end-7a, end-7b, end-9). */
export async function handleManifest(services: Services, call: Call, target: Target): Promise<void> {
  switch (call.method) {
    case 'GET':
    case 'HEAD':
      return serve(services, call, target);
    case 'PUT':
      return put(services, call, target);
    case 'DELETE':
      return remove(services, call, target);
    default:
      throw methodUnsupported(call.method, ['GET', 'HEAD', 'PUT', 'DELETE']);
  }
}

async function serve(services: Services, call: Call, { repository, last }: Target): Promise<void> {
  call.require('pull', repository);
  const name = parseManifestReference(last);
  const manifest = await acceptable(services, call, { repository, name, last });
  const { digest, mediaType, content } = manifest;
  if (call.may('push', repository)) await services.leases.manifest(repository, digest);
  const etag = `"${digest}"`;
  const headers = { 'Content-Type': mediaType, 'Docker-Content-Digest': digest, ETag: etag };
  const condition = call.request.headers['if-none-match'];
  if (condition !== undefined && matches(condition, etag)) return call.empty(304, headers);
  call.bytes(content, headers);
  if (call.method === 'HEAD') return;
  const tag = 'tag' in name ? name.tag : undefined;
  const size = content.length;
  services.observer.observe({
    kind: 'manifestPulled',
    repository,
    digest,
    size,
    mediaType,
    tag,
    actor: call.actor,
  });
}

/** The manifest, if the client takes its type; else the one for linux/amd64 in an index, as old clients expect of a tag. */
async function acceptable(
  services: Services,
  call: Call,
  { repository, name, last }: { repository: string; name: ManifestName; last: string },
): Promise<StoredManifest> {
  const { manifests } = services.metadata;
  const found = await manifests.get(repository, name);
  if (found === undefined) {
    throw (await services.metadata.hasRepository(repository))
      ? manifestUnknown(last)
      : nameUnknown(repository);
  }
  const { accept } = call.request.headers;
  if (accepts(accept, found.mediaType)) return found;
  const child = 'tag' in name ? platformChild(found) : undefined;
  const other = child === undefined ? undefined : await manifests.get(repository, { digest: child });
  if (other !== undefined && accepts(accept, other.mediaType)) return other;
  throw manifestUnknown(last, `it is of type "${found.mediaType}", which the Accept header does not name`);
}

async function put(services: Services, call: Call, { repository, last }: Target): Promise<void> {
  call.require('push', repository);
  const name = parseManifestReference(last);
  const tags = tagsOf(call, name);
  const content = await body(call, services.maxManifestBytes);
  const header = call.request.headers['content-type'];
  const manifest = readPushedManifest({
    content,
    mediaType: header?.split(';')[0]?.trim(),
    digest: 'digest' in name ? name.digest : undefined,
  });
  if ('digest' in name) checkContent(content, name.digest);
  const missing = await services.metadata.manifests.put(repository, manifest, tags);
  if (missing.length > 0) throw manifestBlobUnknown(missing);
  const { digest, mediaType, subject } = manifest;
  call.empty(201, {
    Location: `/v2/${repository}/manifests/${digest}`,
    'Docker-Content-Digest': digest,
    ...(subject === undefined ? {} : { 'OCI-Subject': subject }),
    ...('digest' in name && tags.length > 0 ? { 'OCI-Tag': tags.join(', ') } : {}),
  });
  const size = content.length;
  services.observer.observe({
    kind: 'manifestPushed',
    repository,
    digest,
    size,
    mediaType,
    tags,
    actor: call.actor,
  });
}

/** The tags that a push sets: the one in its path, or those in its query. */
function tagsOf(call: Call, name: ManifestName): string[] {
  if ('tag' in name) return [name.tag];
  const tags = [...new Set(call.query.getAll('tag'))];
  if (tags.length > maxTags)
    throw nameInvalid(`the push sets ${tags.length} tags, more than ${maxTags}`, 414);
  const wrong = tags.find((tag) => !isTag(tag));
  if (wrong !== undefined) throw nameInvalid(`"${wrong.slice(0, 200)}" is not a tag`);
  return tags;
}

function checkContent(content: Buffer, digest: string): void {
  const algorithm = digest.slice(0, digest.indexOf(':'));
  const actual = `${algorithm}:${createHash(algorithm).update(content).digest('hex')}`;
  if (actual !== digest) throw digestInvalid(`the manifest has digest "${actual}", not "${digest}"`, digest);
}

async function body(call: Call, maxBytes: number): Promise<Buffer> {
  const refusal = manifestInvalid(`a manifest may have ${maxBytes} bytes, this one has more`, 413);
  if (Number(call.request.headers['content-length'] ?? 0) > maxBytes) throw refusal;
  call.proceed();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of call.request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw refusal;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

async function remove(services: Services, call: Call, { repository, last }: Target): Promise<void> {
  call.require('delete', repository);
  const name = parseManifestReference(last);
  const { manifests } = services.metadata;
  const done =
    'tag' in name
      ? await manifests.deleteTag(repository, name.tag)
      : await manifests.delete(repository, name.digest);
  if (!done)
    throw (await services.metadata.hasRepository(repository))
      ? manifestUnknown(last)
      : nameUnknown(repository);
  call.empty(202);
  services.observer.observe(
    'tag' in name
      ? { kind: 'tagDeleted', repository, tag: name.tag, actor: call.actor }
      : { kind: 'manifestDeleted', repository, digest: name.digest, actor: call.actor },
  );
}
