import { invalid, messageOf } from '#/base/errors.ts';
import type { Option } from './option.ts';
import { type Config, options } from './options.ts';
import { fulfillableFlags, isFulfilled, unsupportedKeys } from './unsupported.ts';
import { toggle } from './values.ts';

/** What the command line says. */
export interface CommandLine {
  /** The options that were given, by field. */
  readonly given: Partial<Config>;
  /** undefined: the default one, if it exists. */
  readonly configFile: string | undefined;
  readonly action: 'run' | 'validate' | 'teardown' | 'help' | 'version';
}

interface Flag {
  readonly isToggle: boolean;
  take(text: string): void;
}

/** Reads the command line. Throws `invalid` with one line that names the flag. */
export function parseFlags(argv: readonly string[]): CommandLine {
  const given: Record<string, unknown> = {};
  let configFile: string | undefined;
  let action: CommandLine['action'] = 'run';
  const flags = new Map<string, Flag>();
  const command = (name: string, short: string | undefined, chosen: CommandLine['action']): void => {
    const flag: Flag = {
      isToggle: true,
      take: () => {
        action = chosen;
      },
    };
    flags.set(`--${name}`, flag);
    if (short !== undefined) flags.set(`-${short}`, flag);
  };
  command('help', 'h', 'help');
  command('version', 'v', 'version');
  command('validate', undefined, 'validate');
  command('teardown', undefined, 'teardown');
  flags.set('--config-file', {
    isToggle: false,
    take: (text) => {
      configFile = text;
    },
  });
  for (const [field, option] of Object.entries(options) as [string, Option<unknown>][]) {
    const flag: Flag = {
      isToggle: option.kind.name === '',
      take: (text) => {
        given[field] = option.kind.fromFlag(text, given[field]);
      },
    };
    if (option.flag !== undefined) flags.set(`--${option.flag}`, flag);
    if (option.short !== undefined) flags.set(`-${option.short}`, flag);
  }
  for (const name of fulfillableFlags) {
    flags.set(`--${name}`, {
      isToggle: true,
      take: (text) => {
        if (!isFulfilled(name, toggle.fromFlag(text, undefined))) throw new Error('not supported by Skiff');
      },
    });
  }
  const rest = [...argv];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) takeWord(word, rest, flags);
  // Every value was made by the kind of its field.
  return { given: given as Partial<Config>, configFile, action };
}

function takeWord(word: string, rest: string[], flags: ReadonlyMap<string, Flag>): void {
  const long = /^(--[^=]+)(?:=(.*))?$/s.exec(word);
  // -D, -Htcp://…, -H=tcp://…
  const short = /^(-[^-])=?(.*)$/s.exec(word);
  const match = long ?? short;
  if (match === null || word === '--') throw invalid(`unexpected argument ${JSON.stringify(word)}`);
  const [, name = '', attached] = match;
  const flag = flags.get(name);
  if (flag === undefined) throw unknownFlag(name);
  const hasValue = attached !== undefined && (long !== null || attached !== '');
  if (flag.isToggle && long === null && hasValue && !word.includes('=')) {
    // Several letters behind one dash.
    take(flag, name, 'true');
    takeWord(`-${attached}`, rest, flags);
    return;
  }
  if (hasValue) take(flag, name, attached);
  else if (flag.isToggle) take(flag, name, 'true');
  else {
    const next = rest.shift();
    if (next === undefined) throw invalid(`flag needs an argument: ${name}`);
    take(flag, name, next);
  }
}

function take(flag: Flag, name: string, text: string): void {
  try {
    flag.take(text);
  } catch (error) {
    throw invalid(`invalid argument ${JSON.stringify(text)} for ${name}: ${messageOf(error)}`, error);
  }
}

function unknownFlag(name: string): Error {
  const bare = name.replace(/^-+/, '');
  if (unsupportedKeys.has(bare) || unsupportedKeys.has(`${bare}s`)) {
    return invalid(`the flag ${name} of dockerd is not supported by Skiff`);
  }
  return invalid(`unknown flag: ${name}; see skiffd --help`);
}

/** The help text. */
export function helpText(): string {
  const withFlag = Object.values(options as Record<string, Option<unknown>>).filter(
    ({ flag }) => flag !== undefined,
  );
  const lines = withFlag.map((option): [string, string] => {
    const { kind, flag, short } = option;
    const shown = kind.show(option.default);
    const isPlain = ['', 'false', '[]', 'map[]'].includes(shown);
    return [
      `${short === undefined ? '    ' : `-${short}, `}--${flag}${kind.name === '' ? '' : ` ${kind.name}`}`,
      `${option.help}${isPlain ? '' : ` (default ${shown})`}`,
    ];
  });
  lines.push(
    ['    --config-file string', 'Configuration file (default /etc/skiff/daemon.json, if it exists)'],
    ['    --validate', 'Check the configuration and exit'],
    [
      '    --teardown',
      'Remove what a stopped daemon left running (containers, links, rules, mounts) and exit',
    ],
    ['-h, --help', 'Print this'],
    ['-v, --version', 'Print the version'],
  );
  const width = Math.max(...lines.map(([left]) => left.length)) + 2;
  const table = lines.map(([left, right]) => `  ${left.padEnd(width)}${right}`);
  return `Usage: skiffd [OPTIONS]\n\nThe Skiff daemon: runs containers and serves the Docker Engine API.\n\nOptions:\n${table.join('\n')}\n`;
}
