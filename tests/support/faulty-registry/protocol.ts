import { digestOf } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { type Answer, problem } from './answer.ts';
import type { KeptRepository, RegistryContent } from './content.ts';

/** A request that has been read. */
export interface ReadRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

const unknownManifest = problem(404, 'MANIFEST_UNKNOWN', 'manifest unknown');
const unknownBlob = problem(404, 'BLOB_UNKNOWN', 'blob unknown to registry');
const unknownUpload = problem(404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry');
const unsupported = problem(405, 'UNSUPPORTED', 'the operation is unsupported');

/** What a registry that does well answers (distribution-spec 1.1), apart from who may ask. */
export function answerOf(content: RegistryContent, request: ReadRequest): Answer {
  const { pathname } = request.url;
  if (pathname === '/v2/')
    return { status: 200, headers: { 'content-type': 'application/json' }, body: '{}' };
  if (pathname === '/v2/_catalog') {
    return listing(request.url, { member: 'repositories', names: [...content.repositories.keys()] });
  }
  const match = /^\/v2\/(.+)\/(manifests|blobs\/uploads|blobs|tags|referrers)\/([^/]*)$/.exec(pathname);
  const [, name = '', kind = '', last = ''] = match ?? [];
  if (match === null) return problem(404, 'NOT_FOUND', 'there is no such path');
  if (kind === 'blobs/uploads') return upload(content, request, { name, id: last });
  const repository = content.repositories.get(name);
  if (request.method === 'PUT' && kind === 'manifests')
    return putManifest(content, request, { name, ref: last });
  if (repository === undefined) return problem(404, 'NAME_UNKNOWN', 'repository name not known to registry');
  if (kind === 'manifests') return manifest(repository, request, last);
  if (kind === 'blobs') return blob(repository, request, last);
  if (kind === 'referrers') return referrers(repository, last);
  return listing(request.url, { member: 'tags', names: [...repository.tags.keys()], more: { name } });
}

function manifest(repository: KeptRepository, { method }: ReadRequest, ref: string): Answer {
  const digest = repository.tags.get(ref) ?? ref;
  const found = repository.manifests.get(digest);
  if (method === 'DELETE') {
    if (!repository.tags.delete(ref) && !repository.manifests.delete(ref)) return unknownManifest;
    return { status: 202 };
  }
  if (found === undefined) return unknownManifest;
  const headers = { 'content-type': found.mediaType, 'docker-content-digest': digest };
  return { status: 200, headers, body: found.bytes };
}

function putManifest(
  content: RegistryContent,
  { headers, body }: ReadRequest,
  { name, ref }: { name: string; ref: string },
): Answer {
  const digest = digestOf(body);
  const mediaType = headers['content-type'] ?? '';
  content.addManifest(name, body, { mediaType, ...(!ref.includes(':') && { tag: ref }) });
  return {
    status: 201,
    headers: { location: `/v2/${name}/manifests/${digest}`, 'docker-content-digest': digest },
  };
}

function blob(repository: KeptRepository, { method, headers }: ReadRequest, digest: string): Answer {
  const bytes = repository.blobs.get(digest);
  if (bytes === undefined) return unknownBlob;
  if (method === 'DELETE') {
    repository.blobs.delete(digest);
    return { status: 202 };
  }
  const common = { 'content-type': 'application/octet-stream', 'docker-content-digest': digest };
  const start = Number(/^bytes=(\d+)-$/.exec(headers['range'] ?? '')?.[1] ?? 0);
  if (start === 0) return { status: 200, headers: common, body: bytes };
  if (start >= bytes.length) return problem(416, 'RANGE_INVALID', 'there is no such range');
  const range = { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` };
  return { status: 206, headers: { ...common, ...range }, body: bytes.subarray(start) };
}

function upload(
  content: RegistryContent,
  { method, url, headers, body }: ReadRequest,
  { name, id }: { name: string; id: string },
): Answer {
  const repository = content.repository(name);
  if (method === 'POST') {
    const { searchParams } = url;
    const wanted = searchParams.get('mount') ?? '';
    const source = content.repositories.get(searchParams.get('from') ?? '')?.blobs.get(wanted);
    if (source !== undefined) {
      repository.blobs.set(wanted, source);
      return { status: 201, headers: { location: `/v2/${name}/blobs/${wanted}` } };
    }
    const made = `upload-${repository.uploads.size + 1}-${repository.blobs.size}`;
    repository.uploads.set(made, Buffer.alloc(0));
    return progress(name, made, { status: 202, size: 0 });
  }
  const kept = repository.uploads.get(id);
  if (kept === undefined) return unknownUpload;
  if (method === 'GET') return progress(name, id, { status: 204, size: kept.length });
  const range = headers['content-range'];
  if (range !== undefined && !range.startsWith(`${kept.length}-`)) {
    return { ...problem(416, 'RANGE_INVALID', 'invalid content range'), headers: rangeOf(kept.length) };
  }
  const all = Buffer.concat([kept, body]);
  if (method === 'PATCH') {
    repository.uploads.set(id, all);
    return progress(name, id, { status: 202, size: all.length });
  }
  if (method === 'DELETE') {
    repository.uploads.delete(id);
    return { status: 204 };
  }
  if (method !== 'PUT') return unsupported;
  const digest = url.searchParams.get('digest') ?? '';
  if (digestOf(all) !== digest)
    return problem(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content');
  repository.uploads.delete(id);
  repository.blobs.set(digest, all);
  return {
    status: 201,
    headers: { location: `/v2/${name}/blobs/${digest}`, 'docker-content-digest': digest },
  };
}

function progress(name: string, id: string, { status, size }: { status: number; size: number }): Answer {
  const location = `/v2/${name}/blobs/uploads/${id}?_state=secret-state-${size}`;
  return { status, headers: { location, ...rangeOf(size) } };
}

function rangeOf(size: number): { range: string } {
  return { range: `0-${Math.max(size - 1, 0)}` };
}

function referrers(repository: KeptRepository, subject: string): Answer {
  const manifests = [...repository.manifests].flatMap(([digest, { mediaType, bytes }]) => {
    const document = JSON.parse(bytes.toString()) as { subject?: { digest: string }; artifactType?: string };
    if (document.subject?.digest !== subject) return [];
    return [{ mediaType, digest, size: bytes.length, artifactType: document.artifactType }];
  });
  return {
    status: 200,
    headers: { 'content-type': mediaTypes.index },
    body: JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }),
  };
}

function listing(
  url: URL,
  { member, names, more = {} }: { member: string; names: readonly string[]; more?: object },
): Answer {
  const sorted = names.toSorted();
  const last = url.searchParams.get('last') ?? '';
  const count = Number(url.searchParams.get('n') ?? sorted.length);
  const rest = sorted.filter((name) => name > last);
  const page = rest.slice(0, count);
  const next = `${url.pathname}?n=${count}&last=${encodeURIComponent(page.at(-1) ?? '')}`;
  return {
    status: 200,
    headers: {
      'content-type': 'application/json',
      ...(page.length < rest.length && { link: `<${next}>; rel="next"` }),
    },
    body: JSON.stringify({ ...more, [member]: page }),
  };
}
