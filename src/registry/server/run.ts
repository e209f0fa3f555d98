import { messageOf } from '#/base/errors.ts';
import { Logger, type LogSettings } from '#/base/log.ts';
import { skiffVersion } from '#/base/version.ts';
import { loadConfig } from './config/config.ts';
import { type Flags, helpText, parseFlags } from './config/flags.ts';
import { Registry } from './registry.ts';

/** Where words for people go; lines of the access log go where other output goes. */
export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** Runs skiff-registry until a signal ends it; resolves with the exit code. */
export async function run(argv: readonly string[], output: Output): Promise<number> {
  try {
    const flags = parseFlags(argv);
    switch (flags.action) {
      case 'help':
        output.out(helpText);
        break;
      case 'version':
        output.out(`Skiff Registry version ${skiffVersion}\n`);
        break;
      case 'validate':
        loadConfig(flags);
        output.out('configuration OK\n');
        break;
      case 'serve':
        await serve(flags, output);
        break;
    }
    return 0;
  } catch (error) {
    output.err(`skiff-registry: ${messageOf(error).replaceAll('\n', ' ')}\n`);
    return 1;
  }
}

async function serve(flags: Flags, { out, err }: Output): Promise<void> {
  const config = loadConfig(flags);
  const settings: LogSettings = { level: config.log.level, format: config.log.format, write: err };
  const log = new Logger(settings);
  await using signals = new AsyncDisposableStack();
  const stopped = stopSignal(signals);
  await using registry = await Registry.open({ config, log, writeRequest: out });
  const reload = (): void => {
    try {
      const changed = loadConfig(flags);
      registry.reload(changed);
      settings.level = changed.log.level;
      log.info('the configuration was read again');
    } catch (error) {
      log.error('the configuration stays as it was', { problem: messageOf(error) });
    }
  };
  process.on('SIGHUP', reload);
  signals.defer(() => {
    process.off('SIGHUP', reload);
  });
  log.info('skiff-registry is ready', { version: skiffVersion, pid: process.pid, ports: registry.ports });
  log.info('skiff-registry stops', { signal: await stopped });
}

/** The first TERM or INT; a second one does not wait for what is under way. */
function stopSignal(stack: AsyncDisposableStack): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  let asked = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (asked) process.exit(1);
    asked = true;
    resolve(signal);
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  stack.defer(() => {
    process.off('SIGTERM', stop).off('SIGINT', stop);
  });
  return promise;
}
