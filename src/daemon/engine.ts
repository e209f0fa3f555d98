import type { Backend } from '#/api/backend.ts';
import type { Route } from '#/api/call.ts';
import { notImplemented } from '#/base/errors.ts';
import type { Logger } from '#/base/log.ts';
import type { Config } from './options.ts';

/** What the daemon runs: an engine, and the routes that only it can serve. Disposing of it leaves containers running. */
export interface RunningEngine extends AsyncDisposable {
  readonly backend: Backend;
  readonly routes: readonly Route[];
  /** Tells that labels or debugging have changed. */
  reloaded(): void;
}

/** What an engine is made from. */
export interface EngineInput {
  readonly config: Config;
  readonly log: Logger;
  /** What a reload changes; ask each time. */
  readonly settings: () => Pick<Config, 'labels' | 'debug'>;
}

/** Makes everything below the API, in order, and brings the database and the kernel into agreement. */
export function buildEngine(_input: EngineInput): Promise<RunningEngine> {
  return Promise.reject(notImplemented('the engine is not wired up yet'));
}

/**
 * Takes down what a daemon that no longer runs has left in the kernel: processes, mounts, links, rules, cgroups. Images,
 * volumes and containers' files stay.
 */
export function tearDown(_input: EngineInput): Promise<void> {
  return Promise.reject(notImplemented('the engine is not wired up yet'));
}
