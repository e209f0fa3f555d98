import { setTimeout as delay } from 'node:timers/promises';
import { invalid } from '#/base/errors.ts';
import { nowNano } from '#/base/time.ts';
import type { CacheRecord } from '#/builder/cache/record.ts';
import type { DiskUsageKind } from '#/engine/disk-usage.ts';
import type { EngineEvent } from '#/engine/events.ts';
import { encodeEvent } from '#/wire/events.ts';
import type { DiskUsage } from '#/wire/system.ts';
import { compareVersions } from '#/wire/version.ts';
import type { Call, Route } from '../call.ts';
import { infoAsOf } from '../info-compat.ts';
import { presentCacheRecord } from '../present/build-cache.ts';
import { presentSummary } from '../present/containers.ts';
import { eventFilter, presentEvent } from '../present/events.ts';
import { presentImageUsage } from '../present/images.ts';
import { beginStream, json, send } from '../respond.ts';

const diskUsageKinds: readonly DiskUsageKind[] = ['container', 'image', 'volume', 'build-cache'];
/** Nanoseconds. */
const millisecond = 1_000_000n;
/** setTimeout takes 31 bits of milliseconds. */
const longestDelay = 2 ** 31 - 1;

async function ping(call: Call): Promise<void> {
  const body = call.request.method === 'HEAD' ? '' : 'OK';
  call.response.writeHead(200, {
    'Builder-Version': call.engine.system.builderVersion,
    'Cache-Control': 'no-cache, no-store, must-revalidate',
    'Content-Length': body.length,
    'Content-Type': 'text/plain; charset=utf-8',
    Pragma: 'no-cache',
    Swarm: 'inactive',
  });
  call.response.end(body);
}

async function version(call: Call): Promise<void> {
  json(call, await call.engine.system.version());
}

async function info(call: Call): Promise<void> {
  json(call, infoAsOf(call.version, await call.engine.system.info()));
}

async function diskUsage(call: Call): Promise<void> {
  const asked = call.query.all('type').map((kind) => {
    if (!isDiskUsageKind(kind)) throw invalid(`unknown object type: ${kind}`);
    return kind;
  });
  const kinds = new Set(asked.length === 0 ? diskUsageKinds : asked);
  const usage = await call.engine.system.diskUsage(kinds);
  const cache = kinds.has('build-cache') ? await call.engine.builder.usage() : undefined;
  const now = Date.now();
  json(call, {
    LayersSize: usage.layersSize,
    Images: usage.images?.map((image) => presentImageUsage(image, call.version)) ?? null,
    Containers: usage.containers?.map((view) => presentSummary(view, { now, version: call.version })) ?? null,
    Volumes: usage.volumes ?? null,
    BuildCache: cache?.map(presentCacheRecord) ?? null,
    ...(compareVersions(call.version, '1.42') < 0 && { BuilderSize: sizeOf(cache ?? []) }),
  } satisfies DiskUsage);
}

/** What the cache alone needs: images share the rest. */
function sizeOf(records: readonly CacheRecord[]): number {
  return records.filter(({ shared }) => !shared).reduce((sum, { size }) => sum + size, 0);
}

function isDiskUsageKind(text: string): text is DiskUsageKind {
  return (diskUsageKinds as readonly string[]).includes(text);
}

async function events(call: Call): Promise<void> {
  const { query, response } = call;
  const since = query.time('since');
  const until = query.time('until');
  if (since !== undefined && until !== undefined && until < since) {
    throw invalid(`until time (${query.text('until')}) can't be before since time (${query.text('since')})`);
  }
  const wanted = eventFilter(query.filters());
  using end = endAt(until, call.signal);
  const stream = call.engine.events.subscribe({ since, signal: end.signal });
  beginStream(call, 'application/json');
  for await (const event of stream) {
    if (until !== undefined && event.timeNano > until) break;
    if (wanted(event)) await sendEvent(call, event);
  }
  response.end();
}

async function sendEvent(call: Call, event: EngineEvent): Promise<void> {
  await send(call.response, `${encodeEvent(presentEvent(event))}\n`, { signal: call.signal });
}

/** A signal that aborts at a time (nanoseconds since 1970), or when `outer` does. */
function endAt(time: bigint | undefined, outer: AbortSignal): Disposable & { readonly signal: AbortSignal } {
  const stop = new AbortController();
  const passOn = (): void => stop.abort(outer.reason);
  outer.addEventListener('abort', passOn, { once: true });
  if (outer.aborted) passOn();
  if (time !== undefined) void abortAt(time, stop);
  return {
    signal: stop.signal,
    [Symbol.dispose]: () => {
      outer.removeEventListener('abort', passOn);
      stop.abort();
    },
  };
}

async function abortAt(time: bigint, stop: AbortController): Promise<void> {
  try {
    for (let left = time - nowNano(); left > 0n; left = time - nowNano()) {
      const wait = Math.min(longestDelay, Number(left / millisecond) + 1);
      await delay(wait, undefined, { signal: stop.signal });
    }
  } catch {
    // Aborted already, which is the only way in which waiting fails.
  }
  stop.abort();
}

/** About the daemon as a whole. */
export const systemRoutes: readonly Route[] = [
  ['GET', '/_ping', ping],
  ['HEAD', '/_ping', ping],
  ['GET', '/version', version],
  ['GET', '/info', info],
  ['GET', '/events', events],
  ['GET', '/system/df', diskUsage],
];
