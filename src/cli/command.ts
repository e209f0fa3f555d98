import type { Readable, Writable } from 'node:stream';
import type { Client } from '#/client/client.ts';
import type { CliConfig } from './config.ts';
import type { FlagTable, FlagValues } from './flags/flag.ts';

/** What every command works with. */
export interface Context {
  readonly stdin: TerminalInput;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The connection to the daemon; nothing is sent before the first use. */
  readonly client: Client;
  /** The user's configuration file, read on first use. */
  readonly config: CliConfig;
}

/** Standard input: a terminal, a pipe or a file. */
export interface TerminalInput extends Readable {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
}

/** Standard output or error. */
export interface Output {
  /** Writes at once: what has been written is out when this returns. */
  write(text: string): void;
  readonly isTTY: boolean;
  /** Of a terminal; 0 for what is none. */
  readonly columns: number;
  readonly rows: number;
  /** For data that flows. It costs time to make, so nothing else uses it. */
  readonly stream: Writable;
}

/** What the command line says to one command. */
export interface Input<F extends FlagTable = FlagTable> {
  readonly flags: FlagValues<F>;
  /** Long names of the flags that were given. */
  readonly given: ReadonlySet<string>;
  readonly args: readonly string[];
  /** How the command was called, for messages: `skiff container ls`. */
  readonly path: string;
}

/** How many arguments a command takes. */
interface Arity {
  readonly min?: number;
  readonly max?: number;
}

/** A command as data, with what it does. */
export interface CommandSpec<F extends FlagTable> {
  /** What follows the command's name in its usage line. */
  readonly usage: string;
  /** More than the one line of the command list. */
  readonly description?: string;
  readonly flags: F;
  readonly arity: Arity;
  /** False for commands whose arguments may look like flags of their own. */
  readonly interspersed?: boolean;
  /** The exit code, 0 if there is none. Errors become a message and a code in main. */
  run(ctx: Context, input: Input<F>): Promise<number | undefined | void>;
}

/** A command with the types of its flags forgotten. */
export type Command = CommandSpec<FlagTable>;

/** Declares a command; types `input.flags` after the table of flags. */
export function defineCommand<const F extends FlagTable>(spec: CommandSpec<F>): Command {
  return {
    ...spec,
    // The parser fills the values from this very table.
    run: (ctx, input) => spec.run(ctx, { ...input, flags: input.flags as FlagValues<F> }),
  };
}

/** An end with a certain exit code. An empty message prints nothing. */
export class ExitError extends Error {
  readonly code: number;

  constructor(code: number, message = '', options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'ExitError';
    this.code = code;
  }
}
