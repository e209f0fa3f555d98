import { invalid, isKind, notImplemented } from '#/base/errors.ts';
import { parsePlatform } from '#/oci/platform.ts';
import type { Filters } from '#/wire/filters.ts';
import { encodeProgress } from '#/wire/json-stream.ts';
import { compareVersions } from '#/wire/version.ts';
import type { Call, Route } from '../call.ts';
import { platformParam, platformsParam } from '../decode/platform.ts';
import { uploadOf } from '../input.ts';
import { presentImageInspect, presentImageSummary } from '../present/images.ts';
import { beginStream, empty, json, sendLent } from '../respond.ts';
import { loadImages } from './image-load.ts';
import { pullImage } from './registries.ts';

async function listImages(call: Call): Promise<void> {
  const { query, engine, version } = call;
  const images = engine.images.list({
    all: query.bool('all'),
    filters: listFilters(call),
    sharedSize: compareVersions(version, '1.42') >= 0 && query.bool('shared-size'),
  });
  const withManifests = compareVersions(version, '1.47') >= 0 && query.bool('manifests');
  const shown = images.map(async (image) => ({
    ...presentImageSummary(image, version),
    ...(withManifests ? await manifestsIfThere(call, image.Id) : {}),
  }));
  json(call, await Promise.all(shown));
}

/** An image that is removed while images are listed is listed without its manifests. */
async function manifestsIfThere({ engine }: Call, id: string): Promise<object> {
  try {
    return await engine.images.manifests(id);
  } catch (error) {
    if (isKind(error, 'notFound')) return {};
    throw error;
  }
}

/** Before API 1.41 a parameter `filter` was the filter `reference`. */
function listFilters({ query, version }: Call): Filters {
  const filters = query.filters();
  const reference = query.text('filter');
  if (reference === '' || compareVersions(version, '1.41') >= 0) return filters;
  return new Map([...filters, ['reference', [...(filters.get('reference') ?? []), reference]]]);
}

async function inspectImage(call: Call): Promise<void> {
  const { engine, query, version } = call;
  const platform = compareVersions(version, '1.49') < 0 ? undefined : platformParam(call);
  const withManifests = compareVersions(version, '1.48') >= 0 && query.bool('manifests');
  if (platform !== undefined && withManifests) {
    throw invalid('conflicting options: manifests and platform options cannot both be set');
  }
  const image = presentImageInspect(engine.images.inspect(call.id, platform), version);
  json(call, withManifests ? { ...image, ...(await engine.images.manifests(call.id)) } : image);
}

async function imageHistory(call: Call): Promise<void> {
  const platform = compareVersions(call.version, '1.48') < 0 ? undefined : platformParam(call);
  json(call, call.engine.images.history(call.id, platform));
}

async function tagImage(call: Call): Promise<void> {
  const { query, engine } = call;
  engine.images.tag(call.id, query.text('repo'), query.text('tag'));
  empty(call, 201);
}

async function removeImage(call: Call): Promise<void> {
  const { query, engine, version } = call;
  if (call.id.trim() === '') throw invalid('image name cannot be blank');
  const platforms = compareVersions(version, '1.50') < 0 ? [] : platformsParam(call);
  const options = { force: query.bool('force'), prune: !query.bool('noprune'), platforms };
  json(call, await engine.images.remove(call.id, options));
}

async function pruneImages(call: Call): Promise<void> {
  json(call, await call.engine.images.prune(call.query.filters(), { signal: call.signal }));
}

async function saveImage(call: Call): Promise<void> {
  await save(call, [call.id]);
}

async function saveImages(call: Call): Promise<void> {
  // Old clients join the names with commas.
  await save(
    call,
    call.query.all('names').flatMap((names) => names.split(',')),
  );
}

async function save(call: Call, names: readonly string[]): Promise<void> {
  const { engine, response, signal, version } = call;
  const platform = compareVersions(version, '1.48') < 0 ? undefined : platformParam(call);
  const archive = engine.images.save(names, platform);
  try {
    // Errors before the first bytes still get a status of their own.
    const first = await archive.next();
    beginStream(call, 'application/x-tar');
    if (first.value !== undefined) await sendLent(response, first.value, { signal });
    for await (const chunk of archive) await sendLent(response, chunk, { signal });
    response.end();
  } finally {
    await archive.return();
  }
}

/** Pull with `fromImage`, import with `fromSrc`. */
async function createImage(call: Call): Promise<void> {
  const { engine, query } = call;
  if (query.text('fromImage') !== '') return pullImage(call);
  const source = query.text('fromSrc');
  if (source === '') throw invalid('one of the parameters fromImage and fromSrc is required');
  if (source !== '-') {
    throw notImplemented('Importing from a URL is not implemented; fetch it and import with "-"');
  }
  const platform = query.text('platform');
  const id = await engine.images.import(uploadOf(call), {
    repository: query.text('repo'),
    tag: query.text('tag'),
    message: query.text('message'),
    changes: query.all('changes'),
    platform: platform === '' ? undefined : parsePlatform(platform),
    signal: call.signal,
  });
  beginStream(call, 'application/json');
  call.response.end(encodeProgress({ status: id }));
}

/** `/images`. Requests to registries are answered by routes of their own. */
export const imageRoutes: readonly Route[] = [
  ['GET', '/images/json', listImages],
  ['GET', '/images/get', saveImages],
  ['POST', '/images/create', createImage],
  ['POST', '/images/load', loadImages],
  ['POST', '/images/prune', pruneImages],
  ['GET', '/images/:name/json', inspectImage],
  ['GET', '/images/:name/history', imageHistory],
  ['GET', '/images/:name/get', saveImage],
  ['POST', '/images/:name/tag', tagImage],
  ['DELETE', '/images/:name', removeImage],
];
