import { apiRoutes } from '#/api/routes/all.ts';
import { ApiServer } from '#/api/server.ts';
import { messageOf } from '#/base/errors.ts';
import { Logger, type LogSettings } from '#/base/log.ts';
import { skiffVersion } from '#/base/version.ts';
import { activatedSockets } from './activation.ts';
import { claim } from './claim.ts';
import { effectiveLogLevel, loadConfig } from './config.ts';
import { Daemon } from './daemon.ts';
import type { EngineInput, RunningEngine } from './engine.ts';
import { type CommandLine, helpText, parseFlags } from './flags.ts';
import type { Config } from './options.ts';
import { listen } from './sockets.ts';

/** Where words for people go. */
export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** What is below the API; a parameter, so that tests can run the daemon without it. */
export interface EngineActions {
  readonly build: (input: EngineInput) => Promise<RunningEngine>;
  readonly tearDown: (input: EngineInput) => Promise<void>;
}

/**
 * Runs skiffd until a signal ends it; resolves with the exit code. What keeps it from starting is one line on standard
 * error.
 */
export async function run(argv: readonly string[], output: Output, engine: EngineActions): Promise<number> {
  let commandLine: CommandLine;
  let config: Config;
  try {
    commandLine = parseFlags(argv);
    if (commandLine.action === 'help') {
      output.out(helpText());
      return 0;
    }
    if (commandLine.action === 'version') {
      output.out(`Skiff version ${skiffVersion}\n`);
      return 0;
    }
    config = loadConfig(commandLine);
    if (commandLine.action === 'validate') {
      output.out('configuration OK\n');
      return 0;
    }
    if (commandLine.action === 'teardown') {
      const log = loggerOf(config, output).log;
      using _claimed = claim(config);
      await engine.tearDown({ config, log, settings: () => config });
      return 0;
    }
    return await untilSignal(start({ commandLine, config, output }, engine));
  } catch (error) {
    output.err(`skiffd: ${messageOf(error).replaceAll('\n', ' ')}\n`);
    return 1;
  }
}

async function start(
  { commandLine, config, output }: { commandLine: CommandLine; config: Config; output: Output },
  actions: EngineActions,
): Promise<Daemon> {
  const { log, settings: logSettings } = loggerOf(config, output);
  const activated = activatedSockets(process.env);
  await using stack = new AsyncDisposableStack();
  stack.use(claim(config));
  let daemon: Daemon | undefined;
  const engine = stack.use(
    await actions.build({ config, log, settings: () => (daemon === undefined ? config : daemon.config) }),
  );
  const api = new ApiServer({
    routes: apiRoutes,
    engine: engine.backend,
    log,
    product: `Skiff/${skiffVersion} (linux)`,
  });
  const failed = stack.adopt(api, (server) => server.close(0));
  await listen(failed, { config, given: commandLine.given, activated, log });
  log.info('skiffd is ready', { version: skiffVersion, pid: process.pid });
  daemon = new Daemon({
    commandLine,
    config,
    log,
    logSettings,
    api,
    rest: stack.move(),
    reloaded: () => engine.reloaded(),
  });
  return daemon;
}

function loggerOf(config: Config, { err }: Output): { log: Logger; settings: LogSettings } {
  const settings: LogSettings = { level: effectiveLogLevel(config), format: config.logFormat, write: err };
  return { log: new Logger(settings), settings };
}

/**
 * Signals: HUP reloads, TERM and INT stop. The first that comes during the start is obeyed after it, so that it is not
 * cut off half-way; a second one does not wait.
 */
async function untilSignal(starting: Promise<Daemon>): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let asked = 0;
  const stop = (signal: NodeJS.Signals): void => {
    asked += 1;
    if (asked > 1) resolve(1);
    else starting.then((daemon) => daemon.stop(signal)).then(resolve, reject);
  };
  const reload = (): void => {
    starting.then((daemon) => daemon.reload()).catch(reject);
  };
  process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', reload);
  try {
    await Promise.race([starting, promise]);
    return await promise;
  } finally {
    process.off('SIGTERM', stop).off('SIGINT', stop).off('SIGHUP', reload);
  }
}
