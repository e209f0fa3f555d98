import { invalid } from '#/base/errors.ts';
import { keywords } from './arguments.ts';
import { Flags } from './flags.ts';
import { readHealthcheck } from './healthcheck.ts';
import type {
  ArgInstruction,
  FromInstruction,
  Instruction,
  InstructionBase,
  OnbuildInstruction,
  VolumeInstruction,
} from './instruction.ts';
import type { Pair, SyntaxNode } from './node.ts';
import { readAdd, readCopy } from './read-copy.ts';
import { commandOf, readRun } from './read-run.ts';
import { withSuggestion } from './suggest.ts';
import { trimBlanks } from './text.ts';

type ReadInstruction = (node: SyntaxNode, base: InstructionBase) => Instruction;

const readers: ReadonlyMap<string, ReadInstruction> = new Map<string, ReadInstruction>([
  ['ADD', readAdd],
  ['ARG', readArg],
  ['CMD', (node, base) => ({ ...plain(node, base), kind: 'cmd', command: commandOf(node.args) })],
  ['COPY', readCopy],
  [
    'ENTRYPOINT',
    (node, base) => ({ ...plain(node, base), kind: 'entrypoint', command: commandOf(node.args) }),
  ],
  ['ENV', (node, base) => ({ ...plain(node, base), kind: 'env', pairs: pairsOf('ENV', node) })],
  ['EXPOSE', (node, base) => ({ ...base, kind: 'expose', ports: words('EXPOSE', node).toSorted() })],
  ['FROM', readFrom],
  ['HEALTHCHECK', (node, base) => ({ ...base, kind: 'healthcheck', healthcheck: readHealthcheck(node) })],
  ['LABEL', (node, base) => ({ ...plain(node, base), kind: 'label', pairs: pairsOf('LABEL', node) })],
  ['MAINTAINER', (node, base) => ({ ...base, kind: 'maintainer', value: single('MAINTAINER', node) })],
  ['ONBUILD', readOnbuild],
  ['RUN', readRun],
  ['SHELL', (node, base) => ({ ...plain(node, base), kind: 'shell', words: shellWords(node) })],
  ['STOPSIGNAL', (node, base) => ({ ...base, kind: 'stopsignal', value: value('STOPSIGNAL', node) })],
  ['USER', (node, base) => ({ ...base, kind: 'user', value: single('USER', node) })],
  ['VOLUME', readVolume],
  ['WORKDIR', (node, base) => ({ ...base, kind: 'workdir', value: single('WORKDIR', node) })],
]);

const stageName = /^[a-z][a-z0-9_.-]*$/;

/** What an instruction means. Throws `invalid` in the words of Docker's builder. */
export function readInstruction(node: SyntaxNode): Instruction {
  const read = readers.get(node.keyword.toUpperCase());
  if (read === undefined) {
    const isLower = node.keyword === node.keyword.toLowerCase();
    const options = isLower ? keywords.map((keyword) => keyword.toLowerCase()) : keywords;
    const word = isLower ? node.keyword : node.keyword.toUpperCase();
    throw invalid(withSuggestion(`unknown instruction: ${node.keyword}`, word, options));
  }
  const { range, keyword, text, comments } = node;
  return read(node, { range, keyword, text, comments });
}

/** Of an instruction that has no flags. */
function plain(node: SyntaxNode, base: InstructionBase): InstructionBase {
  new Flags(node.flags, {});
  return base;
}

function readFrom(node: SyntaxNode, base: InstructionBase): FromInstruction {
  const [image = '', keyword = '', name, ...more] = node.args.kind === 'words' ? node.args.words : [];
  const hasName = name !== undefined && more.length === 0 && keyword.toUpperCase() === 'AS';
  if (image === '' || (keyword !== '' && !hasName)) {
    throw invalid('FROM requires either one or three arguments');
  }
  const lower = name?.toLowerCase();
  if (lower !== undefined && !stageName.test(lower)) {
    throw invalid(
      `invalid name for build stage: ${JSON.stringify(name)}, name can't start with a number or contain symbols`,
    );
  }
  return {
    ...base,
    kind: 'from',
    image,
    platform: new Flags(node.flags, { platform: 'text' }).filled('platform'),
    stageName: lower,
    as: name === undefined ? undefined : { keyword, name },
    description: describe(node.comments, lower ?? ''),
  };
}

/** Flags are not an error here; Docker never looked at them. */
function readArg(node: SyntaxNode, base: InstructionBase): ArgInstruction {
  const args = words('ARG', { ...node, flags: [] }).map((word) => {
    const at = word.indexOf('=');
    if (at === 0) throw invalid('ARG names can not be blank');
    const name = at < 0 ? word : word.slice(0, at);
    return {
      name,
      value: at < 0 ? undefined : word.slice(at + 1),
      description: describe(node.comments, name),
    };
  });
  return { ...base, kind: 'arg', args };
}

function readOnbuild(node: SyntaxNode, base: InstructionBase): OnbuildInstruction {
  if (node.args.kind !== 'trigger') {
    throw invalid('ONBUILD requires at least one argument');
  }
  new Flags(node.flags, {});
  const { trigger } = node.args;
  const keyword = trigger.keyword.toUpperCase();
  if (keyword === 'ONBUILD') throw invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (keyword === 'FROM' || keyword === 'MAINTAINER') {
    throw invalid(`${keyword} isn't allowed as an ONBUILD trigger`);
  }
  const documents = node.heredocs.map(({ content, name }) => `\n${content}${name}`);
  return { ...base, kind: 'onbuild', trigger: trigger.text + documents.join('') };
}

function readVolume(node: SyntaxNode, base: InstructionBase): VolumeInstruction {
  const paths = words('VOLUME', node).map(trimBlanks);
  if (paths.includes('')) throw invalid('VOLUME specified can not be an empty string');
  return { ...base, kind: 'volume', paths };
}

function shellWords(node: SyntaxNode): readonly string[] {
  if (node.args.kind === 'text') throw invalid('SHELL requires the arguments to be in JSON form');
  return words('SHELL', node);
}

function words(keyword: string, node: SyntaxNode): readonly string[] {
  const found = node.args.kind === 'words' || node.args.kind === 'json' ? node.args.words : [];
  if (found.length === 0) throw invalid(`${keyword} requires at least one argument`);
  new Flags(node.flags, {});
  return found;
}

function pairsOf(keyword: string, { args }: SyntaxNode): readonly Pair[] {
  if (args.kind !== 'pairs') throw invalid(`${keyword} requires at least one argument`);
  if (args.pairs.some(({ name }) => name === '')) throw invalid(`${keyword} names can not be blank`);
  return args.pairs;
}

function value(keyword: string, { args }: SyntaxNode): string {
  if (args.kind !== 'text') throw invalid(`${keyword} requires exactly one argument`);
  return args.text;
}

function single(keyword: string, node: SyntaxNode): string {
  const text = value(keyword, node);
  new Flags(node.flags, {});
  return text;
}

/** What the comment above says of a name: the rest of a line that begins with it. */
function describe(comments: readonly string[], name: string): string | undefined {
  if (name === '') return undefined;
  return comments.find((comment) => comment.startsWith(`${name} `))?.slice(name.length + 1);
}
