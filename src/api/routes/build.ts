import { invalid, isKind, messageOf } from '#/base/errors.ts';
import type { BuildRequest } from '#/builder/request.ts';
import type { BuildPruneResponse } from '#/wire/build.ts';
import { compareVersions } from '#/wire/version.ts';
import { type BuildQuery, readBuildQuery } from '../build/build-query.ts';
import { type ClassicContext, classicContext } from '../build/classic-context.ts';
import { ClassicStream } from '../build/classic-stream.ts';
import { noSecrets, noSsh } from '../build/nothing-lent.ts';
import { queryWishes } from '../build/query-wishes.ts';
import type { Call, Route } from '../call.ts';
import { type RegistryCredentials, registryCredentialsOf } from '../decode/registry-config.ts';
import { json } from '../respond.ts';

/** `POST /build` as Docker's classic builder answers it. */
async function build(call: Call): Promise<void> {
  const query = readBuildQuery(call);
  if (query.version === 2) {
    // With all that it is made of, it is loaded when the first client wants it.
    const { buildWithSession } = await import('../buildkit/session-build.ts');
    return buildWithSession(call, query);
  }
  const { builds, builder } = call.engine;
  const credentials = registryCredentialsOf(call);
  using running = builds.running.begin(query.id, call.signal);
  const { signal } = running;
  const stream = new ClassicStream(call, query);
  try {
    await using files = await classicContext(call, query, { signal });
    const request = classicRequest(query, files, credentials);
    stream.end(await builder.build(request, { signal, progress: (event) => stream.take(event) }));
  } catch (error) {
    stream.fail(error);
  }
}

function classicRequest(
  query: BuildQuery,
  { context, dockerfile }: ClassicContext,
  credentials: RegistryCredentials,
): BuildRequest {
  return {
    ...queryWishes(query),
    dockerfile,
    context,
    secrets: noSecrets,
    ssh: noSsh,
    registryAuth: { credentials: async (host) => credentials.get(host) ?? { kind: 'anonymous' } },
    outputs: [{ kind: 'image', names: query.names, options: new Map() }],
    cacheTo: [],
  };
}

async function cancel({ engine, query, response }: Call): Promise<void> {
  const id = query.text('id');
  if (id === '') throw invalid('build ID not provided');
  engine.builds.running.cancel(id);
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 0 });
  response.end();
}

async function prune(call: Call): Promise<void> {
  const { engine, query, version } = call;
  const filters = new Map(query.filters());
  const until = filters.get('until') ?? [];
  if (until.length > 1) throw invalid('failed to prune build cache: filters expect only one value');
  const reserved =
    compareVersions(version, '1.48') < 0 ? bytes(call, 'keep-storage') : bytes(call, 'reserved-space');
  const request = {
    all: query.bool('all'),
    filters,
    reserved: reserved ?? bytes(call, 'keep-storage'),
    maxUsed: bytes(call, 'max-used-space'),
    minFree: bytes(call, 'min-free-space'),
  };
  const { removed, reclaimed } = await engine.builder.prune(request).catch((error: unknown) => {
    if (!isKind(error, 'invalid')) throw error;
    throw invalid(`failed to prune build cache: ${error.message}`, error);
  });
  if (removed.length > 0) engine.builds.states.forget();
  const ids = removed.map(({ id }) => id);
  json(call, {
    CachesDeleted: ids.length === 0 ? null : ids,
    SpaceReclaimed: reclaimed,
  } satisfies BuildPruneResponse);
}

function bytes({ query }: Call, name: string): number | undefined {
  try {
    return query.int(name);
  } catch (error) {
    const text = query.text(name);
    throw invalid(`${name} is in bytes and expects an integer, got ${text}: ${messageOf(error)}`, error);
  }
}

/** `/build`. */
export const buildRoutes: readonly Route[] = [
  ['POST', '/build', build],
  ['POST', '/build/cancel', cancel],
  ['POST', '/build/prune', prune],
];
