import { invalid } from '#/base/errors.ts';
import { Flags } from './flags.ts';
import { heredocText, parseHeredocMark } from './heredoc.ts';
import type { AddInstruction, CopyInstruction, CopySource, InstructionBase } from './instruction.ts';
import type { SyntaxNode } from './node.ts';

const shared = { chown: 'text', chmod: 'text', link: 'boolean', exclude: 'list' } as const;

/** Reads a COPY. */
export function readCopy(node: SyntaxNode, base: InstructionBase): CopyInstruction {
  const words = wordsOf('COPY', node);
  const flags = new Flags(node.flags, { ...shared, from: 'text', parents: 'boolean' });
  return {
    ...base,
    kind: 'copy',
    ...files('COPY', words, node),
    ...common(flags),
    from: flags.filled('from'),
    parents: flags.boolean('parents') ?? false,
  };
}

/** Reads an ADD. */
export function readAdd(node: SyntaxNode, base: InstructionBase): AddInstruction {
  const words = wordsOf('ADD', node);
  const flags = new Flags(node.flags, {
    ...shared,
    checksum: 'text',
    'keep-git-dir': 'boolean',
    unpack: 'boolean',
  });
  return {
    ...base,
    kind: 'add',
    ...files('ADD', words, node),
    ...common(flags),
    checksum: flags.filled('checksum'),
    keepGitDir: flags.boolean('keep-git-dir'),
    unpack: flags.boolean('unpack'),
  };
}

function wordsOf(keyword: string, { args }: SyntaxNode): readonly string[] {
  const words = args.kind === 'words' || args.kind === 'json' ? args.words : [];
  if (words.length < 2) {
    throw invalid(
      `${keyword} requires at least two arguments, but only one was provided. Destination could not be determined`,
    );
  }
  return words;
}

function common(flags: Flags): Pick<CopyInstruction, 'chown' | 'chmod' | 'link' | 'excludes'> {
  return {
    chown: flags.filled('chown'),
    chmod: flags.filled('chmod'),
    link: flags.boolean('link') ?? false,
    excludes: flags.list('exclude'),
  };
}

function files(
  keyword: string,
  words: readonly string[],
  node: SyntaxNode,
): Pick<CopyInstruction, 'sources' | 'destination'> {
  const destination = words.at(-1) ?? '';
  if (parseHeredocMark(destination) !== undefined) {
    throw invalid(`${keyword} cannot accept a heredoc as a destination`);
  }
  return { destination, sources: words.slice(0, -1).map((word) => sourceOf(word, node)) };
}

function sourceOf(word: string, { heredocs }: SyntaxNode): CopySource {
  const mark = parseHeredocMark(word);
  if (mark === undefined) return { kind: 'path', path: word };
  const heredoc = heredocs.findLast(({ name }) => name === mark.name);
  return {
    kind: 'inline',
    name: mark.name,
    content: heredoc === undefined ? '' : heredocText(heredoc),
    expands: mark.expands,
  };
}
