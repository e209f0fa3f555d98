import { EngineError, invalid } from '#/base/errors.ts';
import { DockerfileError, placed } from './errors.ts';
import type { EscapeToken } from './expand.ts';
import type { ArgInstruction, FromInstruction, Instruction, StageInstruction } from './instruction.ts';
import { readInstruction } from './instructions.ts';
import type { SyntaxNode, SyntaxTree } from './node.ts';
import { readSyntax } from './reader.ts';
import type { SourceRange, SourceText } from './source.ts';
import { usageOf } from './usage.ts';

/** A FROM and what belongs to it. */
export interface Stage {
  readonly index: number;
  /** In lower case; undefined if it has none. */
  readonly name: string | undefined;
  readonly from: FromInstruction;
  readonly instructions: readonly StageInstruction[];
}

/** A Dockerfile, understood but not evaluated: no variable is replaced yet. */
export interface Dockerfile {
  readonly source: SourceText;
  readonly escape: EscapeToken;
  /** The value of `# syntax=`. */
  readonly syntax: string | undefined;
  /** The value of `# check=`. */
  readonly check: string | undefined;
  /** The ARGs before the first FROM. */
  readonly metaArgs: readonly ArgInstruction[];
  /** At least one. */
  readonly stages: readonly Stage[];
  /** The last lines of instructions that have empty lines inside. */
  readonly emptyContinuations: readonly SourceRange[];
}

export interface ParseOptions {
  /** What messages call the file; default `Dockerfile`. */
  readonly name?: string;
}

/** Reads a Dockerfile. Throws a `DockerfileError` that tells where it is wrong. */
export function parseDockerfile(bytes: Uint8Array, { name = 'Dockerfile' }: ParseOptions = {}): Dockerfile {
  const tree = readSyntax(bytes, name);
  const metaArgs: ArgInstruction[] = [];
  const stages: (Stage & { instructions: StageInstruction[] })[] = [];
  for (const node of tree.nodes) {
    const { line } = node.range.start;
    const describe = (reason: string): string => `dockerfile parse error on line ${line}: ${reason}`;
    const instruction = understand(node, tree, describe);
    const stage = stages.at(-1);
    if (instruction.kind === 'from') {
      stages.push({ index: stages.length, name: instruction.stageName, from: instruction, instructions: [] });
    } else if (stage !== undefined) stage.instructions.push(instruction);
    else if (instruction.kind === 'arg') metaArgs.push(instruction);
    else {
      throw new DockerfileError('no build stage in current context', {
        source: tree.source,
        range: node.range,
        hint: 'Only ARG may stand before the first FROM.',
      });
    }
  }
  if (stages.length === 0) {
    const range = tree.nodes.at(-1)?.range ?? { start: { line: 1, column: 1 }, end: { line: 1, column: 1 } };
    throw new DockerfileError('dockerfile contains no stages to build', {
      source: tree.source,
      range,
      hint: 'Add a FROM with the image to build on, or FROM scratch.',
    });
  }
  const { source, escape, syntax, check, emptyContinuations } = tree;
  return { source, escape, syntax, check, metaArgs, stages, emptyContinuations };
}

/**
 * Reads instructions without a FROM, such as the triggers of ONBUILD and the changes of an import. `approve` hears of every
 * keyword, in capitals, before anything is made of it, and may throw. Throws a `DockerfileError`.
 */
export function parseInstructions(
  text: string,
  { name = 'Dockerfile', approve }: ParseOptions & { readonly approve?: (keyword: string) => void } = {},
): Instruction[] {
  const tree = readSyntax(Buffer.from(text), name);
  for (const { keyword } of tree.nodes) approve?.(keyword.toUpperCase());
  return tree.nodes.map((node) => understand(node, tree, (reason) => reason));
}

function understand(
  node: SyntaxNode,
  { source }: SyntaxTree,
  describe: (reason: string) => string,
): Instruction {
  try {
    return readInstruction(node);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw placed(invalid(describe(error.message), error), {
      source,
      range: node.range,
      hint: usageOf(node.keyword),
    });
  }
}
