import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { invalid, messageOf } from '#/base/errors.ts';
import type { LogLevel } from '#/base/log.ts';
import { addressComplaint, type ListenAddress, parseListen } from './address.ts';

/** What the command line of skiff-registry says. */
export interface Flags {
  /** undefined: the usual file, if it exists. */
  readonly config: string | undefined;
  /** Empty: as the file says. */
  readonly listen: readonly ListenAddress[];
  readonly data: string | undefined;
  readonly logLevel: LogLevel | undefined;
  readonly action: 'serve' | 'validate' | 'help' | 'version';
}

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'fatal'];

/** Reads the command line. Throws `invalid` with one line that names the flag. */
export function parseFlags(argv: readonly string[]): Flags {
  const { values } = parse(argv);
  const level = values['log-level'];
  const logLevel = levels.find((each) => each === level);
  if (level !== undefined && logLevel === undefined) {
    throw invalid(`--log-level: ${JSON.stringify(level)} is none of ${levels.join(', ')}`);
  }
  const listen = (values.listen ?? []).map((text) => {
    const address = parseListen(text);
    if (address === undefined) throw invalid(`--listen: ${addressComplaint(text)}`);
    return address;
  });
  const action = values.help ? 'help' : values.version ? 'version' : values.validate ? 'validate' : 'serve';
  return {
    config: values.config,
    listen,
    data: values.data === undefined ? undefined : resolve(values.data),
    logLevel,
    action,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        config: { type: 'string', short: 'c' },
        listen: { type: 'string', multiple: true, short: 'l' },
        data: { type: 'string', short: 'd' },
        'log-level': { type: 'string' },
        validate: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
    });
  } catch (error) {
    throw invalid(messageOf(error), error);
  }
}

/** The help text. */
export const helpText = `Usage: skiff-registry [OPTIONS]

A registry of container images and other OCI artifacts.

Options:
  -c, --config FILE      Configuration (default /etc/skiff/registry.json, if it exists)
  -l, --listen ADDRESS   Address to listen on, instead of the configuration's; can come several times (default 127.0.0.1:5000)
  -d, --data FOLDER      Where everything is kept, instead of the configuration's (default /var/lib/skiff-registry)
      --log-level LEVEL  Least severity that is logged: debug, info, warn, error, fatal (default info)
      --validate         Check the configuration and exit
  -h, --help             Print this
  -v, --version          Print the version

Signals: HUP reads users, rules, limits, certificates and the log level again; TERM finishes requests and exits.
`;
