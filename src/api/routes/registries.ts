import { invalid, messageOf } from '#/base/errors.ts';
import { isDigest } from '#/oci/digest.ts';
import { parsePlatform } from '#/oci/platform.ts';
import { parseReference, type Reference, withTag } from '#/oci/reference.ts';
import type { OnProgress } from '#/registry/client/progress.ts';
import { compareVersions } from '#/wire/version.ts';
import type { Call, Route } from '../call.ts';
import { platformParam } from '../decode/platform.ts';
import { authConfig, credentialsOf, toCredentials } from '../decode/registry-auth.ts';
import { readJson } from '../input.ts';
import { ProgressStream } from '../progress-stream.ts';
import { json } from '../respond.ts';

async function login(call: Call): Promise<void> {
  const config = await readJson(call, authConfig, { required: true });
  const { registries } = call.engine;
  const { signal } = call;
  json(call, await registries.login(config.serveraddress, { credentials: toCredentials(config), signal }));
}

async function search(call: Call): Promise<void> {
  const { engine, query, signal } = call;
  const options = {
    limit: limitOf(call),
    filters: query.filters(),
    credentials: credentialsOf(call),
    signal,
  };
  json(call, await engine.registries.search(query.text('term'), options));
}

function limitOf({ query }: Call): number | undefined {
  try {
    return query.int('limit');
  } catch (error) {
    throw invalid(`invalid limit specified: ${messageOf(error)}`, error);
  }
}

async function inspect(call: Call): Promise<void> {
  const { engine, signal } = call;
  json(call, await engine.registries.inspect(call.id, { credentials: credentialsOf(call), signal }));
}

async function push(call: Call): Promise<void> {
  const { engine, query, signal, version } = call;
  const named = parseReference(call.id);
  const tag = query.text('tag');
  const reference = tag === '' ? named : withTag(named, tag);
  const platform = compareVersions(version, '1.46') < 0 ? undefined : platformParam(call);
  const credentials = credentialsOf(call);
  await streamed(call, (onProgress) =>
    engine.registries.push(reference, { platform, credentials, onProgress, signal }),
  );
}

/** `POST /images/create?fromImage=…`. With neither tag nor digest it means all tags. */
export async function pullImage(call: Call): Promise<void> {
  const { engine, query, signal, version } = call;
  const reference = pulledReference(query.text('fromImage'), query.text('tag'));
  const text = compareVersions(version, '1.32') < 0 ? '' : query.text('platform');
  const platform = text === '' ? undefined : parsePlatform(text);
  const credentials = credentialsOf(call);
  await streamed(call, (onProgress) =>
    engine.registries.pull(reference, { platform, credentials, onProgress, signal }),
  );
}

/** A digest can come as part of the name or in place of the tag. */
function pulledReference(name: string, tag: string): Reference {
  const reference = parseReference(name);
  if (tag === '') return reference;
  return isDigest(tag) ? { ...reference, tag: undefined, digest: tag } : withTag(reference, tag);
}

async function streamed(call: Call, work: (onProgress: OnProgress) => Promise<void>): Promise<void> {
  const stream = new ProgressStream(call);
  try {
    await work((progress) => stream.write(progress));
  } catch (error) {
    stream.fail(error);
    return;
  }
  stream.end();
}

/** What is asked of registries. */
export const registryRoutes: readonly Route[] = [
  ['POST', '/auth', login],
  ['GET', '/images/search', search],
  ['GET', '/distribution/:name/json', inspect],
  ['POST', '/images/:name/push', push],
];
