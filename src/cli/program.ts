import { join } from 'node:path';
import { messageOf } from '#/base/errors.ts';
import { Client } from '#/client/client.ts';
import { type Command, type Context, ExitError, type Output, type TerminalInput } from './command.ts';
import { CliConfig } from './config.ts';
import type { FlagTable } from './flags/flag.ts';
import { FlagError, type ParsedFlags, parseFlags } from './flags/parse.ts';
import { chooseEndpoint, configFolder, type GlobalValues, globalFlags } from './globals.ts';
import { commandHelp, groupHelp, usageLine } from './help.ts';
import { findChild, root } from './tree.ts';
import type { Entry, Group, Leaf } from './tree-node.ts';
import { version } from './version.ts';

/** The outside world of one run. Standard input may be made on first use. */
export interface World {
  readonly stdin: TerminalInput;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const name = root.names[0] ?? '';
/** What docker answers to flags that it does not understand. */
const badFlags = 125;
const defaultWidth = 80;

/** Runs one command line (without the program's name); gives the exit code. */
export async function runProgram(args: readonly string[], world: World): Promise<number> {
  const debug = args.includes('--debug') || args.includes('-D');
  try {
    return (await new Invocation(world).run(args)) ?? 0;
  } catch (error) {
    const message = debug && error instanceof Error ? String(error.stack) : messageOf(error);
    if (message !== '') world.stderr.write(`${message}\n`);
    return error instanceof ExitError ? error.code : 1;
  }
}

class Invocation {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  async run(args: readonly string[]): Promise<number | undefined | void> {
    const {
      values,
      args: words,
      help,
    } = parse(globalFlags, args, { usage: `${name} [OPTIONS] COMMAND [ARG...]`, path: name });
    const globals = values as unknown as GlobalValues;
    if (help) return this.#help([]);
    if (globals.version) {
      this.#world.stdout.write(`Skiff version ${version}\n`);
      return 0;
    }
    if (words.length === 0) {
      this.#world.stderr.write(await this.#helpText([]));
      return 0;
    }
    if (words[0] === 'help') return this.#help(words.slice(1));
    return this.#find(words, globals);
  }

  get #width(): number {
    return this.#world.stdout.columns || defaultWidth;
  }

  async #find(words: readonly string[], globals: GlobalValues): Promise<number | undefined | void> {
    const [first = '', ...rest] = words;
    const entry = findChild(root, first);
    if (entry === undefined)
      throw new ExitError(
        1,
        `${name}: unknown command: ${name} ${first}\n\nRun '${name} --help' for more information`,
      );
    if (entry.kind === 'command')
      return this.#command(entry, { path: `${name} ${first}`, args: rest, globals });
    const path = `${name} ${entry.names[0]}`;
    const { args, help } = parse({}, rest, { usage: path, path, interspersed: false });
    if (help) return this.#help([first]);
    const [second, ...others] = args;
    if (second === undefined) {
      this.#world.stderr.write(await this.#helpText([entry]));
      return 0;
    }
    const child = findChild(entry, second);
    if (child?.kind !== 'command') {
      const hint = `Usage:  ${path}\n\nRun '${path} --help' for more information`;
      throw new ExitError(1, `${name}: unknown command: ${path} ${second}\n\n${hint}`);
    }
    return this.#command(child, { path: `${path} ${child.names[0]}`, args: others, globals });
  }

  async #command(
    leaf: Leaf,
    { path, args, globals }: { path: string; args: readonly string[]; globals: GlobalValues },
  ): Promise<number | undefined | void> {
    const { command } = await leaf.load();
    const usage = usageLine(path, command);
    const parsed = parse(command.flags, args, { usage, path, interspersed: command.interspersed ?? true });
    if (parsed.help) {
      this.#world.stdout.write(commandHelp(path, { leaf, command, width: this.#width }));
      return 0;
    }
    checkArity(command, parsed.args.length, { usage, path });
    const ctx = this.#context(globals);
    using _client = ctx.client;
    return await command.run(ctx, { flags: parsed.values, given: parsed.given, args: parsed.args, path });
  }

  #context(globals: GlobalValues): Context {
    const world = this.#world;
    const config = new CliConfig(join(configFolder(globals, world.env), 'config.json'));
    const client = new Client({
      endpoint: chooseEndpoint(globals, world.env),
      apiVersion: world.env['DOCKER_API_VERSION'] || undefined,
      headers: config.values.headers,
    });
    return {
      // Made on first use: a standard input that is never read must not be touched.
      get stdin() {
        return world.stdin;
      },
      stdout: world.stdout,
      stderr: world.stderr,
      env: world.env,
      client,
      config,
    };
  }

  async #help(words: readonly string[]): Promise<number> {
    const path: Entry[] = [];
    let group: Group | undefined = root;
    for (const word of words) {
      const entry: Entry | undefined = group === undefined ? undefined : findChild(group, word);
      if (entry === undefined) throw new ExitError(1, `unknown help topic: ${words.join(' ')}`);
      path.push(entry);
      group = entry.kind === 'group' ? entry : undefined;
    }
    this.#world.stdout.write(await this.#helpText(path));
    return 0;
  }

  async #helpText(entries: readonly Entry[]): Promise<string> {
    const path = [name, ...entries.map((entry) => entry.names[0])].join(' ');
    const last = entries.at(-1) ?? root;
    const width = this.#width;
    if (last.kind === 'group')
      return groupHelp(path, last, { flags: last === root ? globalFlags : {}, width });
    const { command } = await last.load();
    return commandHelp(path, { leaf: last, command, width });
  }
}

function parse(
  flags: FlagTable,
  args: readonly string[],
  { usage, path, interspersed = false }: { usage: string; path: string; interspersed?: boolean },
): ParsedFlags {
  try {
    return parseFlags(flags, args, { interspersed });
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    const hint = `Usage:  ${usage}\n\nRun '${path} --help' for more information`;
    throw new ExitError(badFlags, `${error.message}\n\n${hint}`, { cause: error });
  }
}

function checkArity(
  { arity }: Command,
  count: number,
  { usage, path }: { usage: string; path: string },
): void {
  const { min = 0, max = Number.POSITIVE_INFINITY } = arity;
  if (count >= min && count <= max) return;
  const words = (number: number): string => `${number} argument${number === 1 ? '' : 's'}`;
  const wanted =
    max === 0
      ? 'accepts no arguments'
      : min === max
        ? `requires ${words(min)}`
        : max === Number.POSITIVE_INFINITY
          ? `requires at least ${words(min)}`
          : min === 0
            ? `requires at most ${words(max)}`
            : `requires at least ${min} and at most ${words(max)}`;
  const see = max === Number.POSITIVE_INFINITY ? 'See' : 'Run';
  const hint = `Usage:  ${usage}\n\n${see} '${path} --help' for more information`;
  throw new ExitError(1, `${name}: '${path}' ${wanted}\n\n${hint}`);
}
