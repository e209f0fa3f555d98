import { invalid } from '#/base/errors.ts';
import { Flags } from './flags.ts';
import { heredocText, parseHeredocMark } from './heredoc.ts';
import type { CommandLine, InstructionBase, RunInstruction } from './instruction.ts';
import { checkMount } from './mount.ts';
import type { SyntaxNode } from './node.ts';

const known = { mount: 'list', network: 'text', security: 'text', device: 'list' } as const;

/** Names of networks as Docker allows them; the modes are such names, too. */
const networkName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** Reads a RUN. */
export function readRun(node: SyntaxNode, base: InstructionBase): RunInstruction {
  const flags = new Flags(node.flags, known);
  const mounts = flags.list('mount');
  mounts.forEach(checkMount);
  return {
    ...base,
    kind: 'run',
    command: commandOf(node.args),
    heredocs: node.heredocs,
    mounts,
    network: network(flags.text('network') ?? 'default'),
    security: security(flags.text('security') ?? 'sandbox'),
    devices: flags.list('device'),
  };
}

/** The exec form, or a line for the shell. */
export function commandOf(args: SyntaxNode['args']): CommandLine {
  if (args.kind === 'json') return { form: 'exec', words: args.words };
  return { form: 'shell', line: args.kind === 'text' ? args.text : '' };
}

/** How a RUN is to be carried out. */
export type RunScript =
  | { readonly kind: 'exec'; readonly words: readonly string[] }
  /** Text for the shell of the stage. */
  | { readonly kind: 'shell'; readonly script: string }
  /** A here-document that begins with `#!`: a program of its own, to be put at /dev/pipes/NAME. */
  | { readonly kind: 'file'; readonly name: string; readonly content: string };

/**
 * What to run: a here-document that is the whole command is the script; in a longer command the documents go to the
 * shell as they are written.
 */
export function runScript({ command, heredocs }: Pick<RunInstruction, 'command' | 'heredocs'>): RunScript {
  if (command.form === 'exec') return { kind: 'exec', words: command.words };
  const [first] = heredocs;
  if (first === undefined) return { kind: 'shell', script: command.line };
  if (parseHeredocMark(command.line) === undefined) {
    const documents = heredocs.map(({ content, name }) => `\n${content}${name}`);
    return { kind: 'shell', script: command.line + documents.join('') };
  }
  const content = heredocText(first);
  if (content.startsWith('#!')) return { kind: 'file', name: first.name, content };
  return { kind: 'shell', script: content };
}

/** How a script that is a here-document begins, for progress: ` (set -e...)`; empty for other commands. */
export function scriptSummary({ command, heredocs }: Pick<RunInstruction, 'command' | 'heredocs'>): string {
  const [document] = heredocs;
  if (document === undefined || command.form === 'exec' || parseHeredocMark(command.line) === undefined)
    return '';
  const [first = '', ...more] = heredocText(document).trim().split(/\r?\n/);
  return ` (${first}${more.length > 0 ? '...' : ''})`;
}

function network(value: string): string {
  if (!networkName.test(value)) throw invalid(`invalid network mode ${JSON.stringify(value)}`);
  return value;
}

function security(value: string): 'sandbox' | 'insecure' {
  if (value !== 'sandbox' && value !== 'insecure') {
    throw invalid(`security ${JSON.stringify(value)} is not valid`);
  }
  return value;
}
