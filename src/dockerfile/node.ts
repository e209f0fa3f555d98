import type { EscapeToken } from './expand.ts';
import type { Heredoc } from './heredoc.ts';
import type { SourceRange, SourceText } from './source.ts';

/** A flag of an instruction, `--name=value`, not yet understood. */
export interface FlagNode {
  readonly text: string;
  readonly range: SourceRange;
}

/** `name=value`, or the old `name value`. */
export interface Pair {
  readonly name: string;
  readonly value: string;
  /** Written without `=`. */
  readonly isLegacy: boolean;
}

/** What follows the flags, taken apart as the keyword asks for. */
export type Arguments =
  | { readonly kind: 'none' }
  | { readonly kind: 'words' | 'json'; readonly words: readonly string[] }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'pairs'; readonly pairs: readonly Pair[] }
  /** HEALTHCHECK: its type, and what belongs to it. */
  | { readonly kind: 'typed'; readonly type: string; readonly rest: Arguments }
  /** ONBUILD. */
  | { readonly kind: 'trigger'; readonly trigger: SyntaxNode };

/** An instruction, whatever it means. */
export interface SyntaxNode {
  /** As it is written. */
  readonly keyword: string;
  readonly flags: readonly FlagNode[];
  readonly args: Arguments;
  readonly heredocs: readonly Heredoc[];
  /** The whole line without continuations, comments and here-documents: what history shows. */
  readonly text: string;
  /** From the keyword to the end of the last line, here-documents included. */
  readonly range: SourceRange;
  /** The comments right above. */
  readonly comments: readonly string[];
}

/** A file taken apart into instructions. */
export interface SyntaxTree {
  readonly source: SourceText;
  readonly nodes: readonly SyntaxNode[];
  readonly escape: EscapeToken;
  readonly syntax: string | undefined;
  readonly check: string | undefined;
  /** The instructions with empty lines inside. */
  readonly emptyContinuations: readonly SourceRange[];
}
