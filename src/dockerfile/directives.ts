import type { SourceRange } from './source.ts';
import { trimBlanks } from './text.ts';

/** `# name=value` at the top of a file. */
export interface Directive {
  readonly name: DirectiveName;
  readonly value: string;
  readonly range: SourceRange;
}

export type DirectiveName = 'syntax' | 'escape' | 'check';

const names: ReadonlySet<string> = new Set(['syntax', 'escape', 'check']);

/** Reads a directive from a comment (without its `#`); undefined if it is an ordinary comment. */
export function parseDirective(comment: string): { name: DirectiveName; value: string } | undefined {
  const [, key = '', value = ''] = /^([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+)$/.exec(trimBlanks(comment)) ?? [];
  const name = key.toLowerCase();
  return isDirectiveName(name) ? { name, value } : undefined;
}

function isDirectiveName(name: string): name is DirectiveName {
  return names.has(name);
}
