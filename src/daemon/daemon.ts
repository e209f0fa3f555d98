import type { ApiServer } from '#/api/server.ts';
import { messageOf } from '#/base/errors.ts';
import type { Logger, LogSettings } from '#/base/log.ts';
import { effectiveLogLevel, loadConfig } from './config.ts';
import type { CommandLine } from './flags.ts';
import type { Config } from './options.ts';
import { reloadable } from './reload.ts';

/** How long requests may go on after the signal, so that the engine has time to close within the whole. */
const requestShare = 0.5;

/** A daemon that runs: what its signals act on. */
export interface DaemonParts {
  readonly commandLine: CommandLine;
  readonly config: Config;
  readonly log: Logger;
  readonly logSettings: LogSettings;
  readonly api: ApiServer;
  /** Closes everything but the API. */
  readonly rest: AsyncDisposable;
  readonly reloaded: () => void;
}

/** The life of the daemon after its start: reloads, and the one orderly end. */
export class Daemon {
  readonly #parts: DaemonParts;
  #config: Config;
  #stopping: Promise<number> | undefined;

  constructor(parts: DaemonParts) {
    this.#parts = parts;
    this.#config = parts.config;
  }

  /** The configuration as the last reload left it. */
  get config(): Config {
    return this.#config;
  }

  /**
   * Reads daemon.json again and takes over labels, debug, log level, mirrors, insecure registries and the limits of pulls
   * and pushes; everything else needs a restart. A file with mistakes changes nothing.
   */
  reload(): void {
    const { commandLine, log, logSettings, reloaded } = this.#parts;
    try {
      const changes = reloadable(loadConfig(commandLine));
      this.#config = Object.freeze({ ...this.#config, ...changes });
      logSettings.level = effectiveLogLevel(this.#config);
      log.info('reloaded the configuration', changes);
    } catch (error) {
      log.error('could not reload the configuration; the old one stays in force', {
        reason: messageOf(error),
      });
      return;
    }
    reloaded();
  }

  /** Stops, once; resolves with the exit code. Containers go on running. */
  stop(reason: string): Promise<number> {
    this.#stopping ??= this.#stop(reason);
    return this.#stopping;
  }

  async #stop(reason: string): Promise<number> {
    const { api, rest, log } = this.#parts;
    const limit = this.#config.shutdownTimeout * 1000;
    log.info('stopping', { reason });
    const { promise: timedOut, resolve } = Promise.withResolvers<number>();
    const timer = setTimeout(() => {
      log.error('stopping took too long; what is left is cut off', { milliseconds: limit });
      resolve(1);
    }, limit);
    const orderly = async (): Promise<number> => {
      await api.close(limit * requestShare);
      await rest[Symbol.asyncDispose]();
      log.info('stopped');
      return 0;
    };
    try {
      return await Promise.race([orderly(), timedOut]);
    } finally {
      clearTimeout(timer);
    }
  }
}
