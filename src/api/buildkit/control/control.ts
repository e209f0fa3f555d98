import { invalid, notImplemented } from '#/base/errors.ts';
import type { CacheLocation } from '#/builder/request.ts';
import type { BuilderBackend } from '../../backend.ts';
import { bidiStream, type GrpcHandler, type ServerCall, serverStream, unary } from '../grpc/server.ts';
import type { History } from '../history/history.ts';
import { historyFilter } from '../history/history-filter.ts';
import { type CacheOptions, Control, type SolveRequest } from '../messages/control_pb.ts';
import { Health } from '../messages/health_pb.ts';
import type { ClientSession } from '../session/session.ts';
import type { Sessions } from '../session/sessions.ts';
import type { Piece } from '../session/tunnel.ts';
import type { SolveInput } from './build-request.ts';
import type { Builds } from './builds.ts';
import { matching, pruneRequest, usageRecord } from './cache-usage.ts';
import { withErrorDetails } from './error-details.ts';
import { isDockerfileFrontend } from './gateway.ts';
import type { ExporterChoice } from './outputs.ts';
import { resultIn } from './result-definition.ts';
import type { WorkerInfo } from './workers.ts';

/** What the methods stand on. */
export interface ControlParts {
  readonly builds: Builds;
  readonly builder: BuilderBackend;
  readonly history: History;
  readonly sessions: Sessions;
  readonly worker: WorkerInfo;
  /** Keeps a session that comes inside of a call. */
  readonly tunnel: (incoming: AsyncIterable<Piece>, call: ServerCall) => AsyncIterable<Piece>;
}

/** The methods of moby.buildkit.v1.Control. */
export function controlHandlers(parts: ControlParts): GrpcHandler[] {
  const { builds, builder, history, sessions, worker } = parts;
  return [
    unary(Health.method.check, () => Promise.resolve({ status: 1 })),
    bidiStream(Control.method.session, (incoming, call) => parts.tunnel(incoming, call)),
    unary(Control.method.info, () => Promise.resolve({ buildkitVersion: worker.version() })),
    unary(Control.method.listWorkers, () => Promise.resolve({ record: [worker.record()] })),
    unary(Control.method.diskUsage, async ({ filter }) => {
      const records = await builder.usage();
      return { record: records.filter(matching(filter)).map(usageRecord) };
    }),
    serverStream(Control.method.prune, async function* (request) {
      const { removed } = await builder.prune(pruneRequest(request, await builder.usage()));
      for (const record of removed) yield usageRecord(record);
    }),
    unary(Control.method.solve, async (request, { signal }) => {
      const session = request.session === '' ? undefined : await sessions.get(request.session, { signal });
      const solved = withErrorDetails(
        builds.solve(solveInput(request, session), {
          frontend: frontendOf(request),
          inputs: inputsOf(request),
          isInternal: request.internal,
          signal,
        }),
      );
      return { exporterResponse: Object.fromEntries(await solved) };
    }),
    serverStream(Control.method.status, ({ ref }, call) => builds.follow(ref, call), { head: clock }),
    serverStream(
      Control.method.listenBuildHistory,
      (request, call) => {
        const { ref, activeOnly: isActiveOnly, earlyExit: isEarlyExit, limit } = request;
        if (limit < 0) throw invalid(`invalid limit ${limit}`);
        const filter = historyFilter(request.filter, { now: new Date() });
        return history.follow({ ref, isActiveOnly, isEarlyExit, limit, filter }, call);
      },
      { head: clock },
    ),
    unary(Control.method.updateBuildHistory, ({ ref, pinned, delete: isDelete, finalize }) => {
      if (isDelete) history.delete(ref);
      else if (!finalize) history.pin(ref, pinned);
      return Promise.resolve({});
    }),
  ];
}

/** With what time it is here, clients tell how long ago something was. */
function clock(): { 'buildkit-current-timestamp': string } {
  return { 'buildkit-current-timestamp': new Date().toISOString() };
}

function solveInput(request: SolveRequest, session: ClientSession | undefined): SolveInput {
  const { ref, frontendAttrs, cache, entitlements } = request;
  if (ref === '') throw invalid('the build has no name');
  if (request.sourcePolicy.length > 0) throw notImplemented('source policies are not implemented');
  return {
    ref,
    attributes: new Map(Object.entries(frontendAttrs)),
    exporters: exportersOf(request),
    cacheFrom: cacheSources(cache),
    cacheTo: cacheTargets(cache),
    entitlements,
    session,
  };
}

/** An empty front end and no graph: the client drives. */
function frontendOf({ frontend, frontendAttrs, definition }: SolveRequest): string {
  if (frontend === 'gateway.v0' && isDockerfileFrontend(frontendAttrs['source'] ?? ''))
    return 'dockerfile.v0';
  if (frontend !== '') return frontend;
  if (definition === undefined || definition.def.length === 0) return 'client';
  throw notImplemented('solving build graphs (LLB) is not implemented: only the Dockerfile front end is');
}

function inputsOf({ frontendInputs }: SolveRequest): Map<string, string> {
  const inputs = new Map<string, string>();
  for (const [name, definition] of Object.entries(frontendInputs)) {
    const result = resultIn(definition);
    if (result === undefined)
      throw notImplemented(`the input ${JSON.stringify(name)} is a build graph (LLB)`);
    inputs.set(name, result);
  }
  return inputs;
}

function exportersOf({ exporters, exporter, exporterAttrs }: SolveRequest): ExporterChoice[] {
  const chosen = exporters.length > 0 ? exporters : [{ type: exporter, attrs: exporterAttrs }];
  return chosen
    .filter(({ type }) => type !== '')
    .map(({ type, attrs }) => ({ type, attributes: new Map(Object.entries(attrs)) }));
}

function cacheSources(cache: CacheOptions | undefined): CacheLocation[] {
  const old = (cache?.importRefs ?? []).map((ref) => ({ type: 'registry', attrs: { ref } }));
  return [...(cache?.imports ?? []), ...old].map(location);
}

function cacheTargets(cache: CacheOptions | undefined): CacheLocation[] {
  const { exportRef = '', exportAttrs = {}, exports = [] } = cache ?? {};
  const old = exportRef === '' ? [] : [{ type: 'registry', attrs: { ...exportAttrs, ref: exportRef } }];
  return [...exports, ...old].map(location);
}

function location({ type, attrs }: { type: string; attrs: Record<string, string> }): CacheLocation {
  return { type, attributes: new Map(Object.entries(attrs)) };
}
