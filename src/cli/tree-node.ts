import type { Command } from './command.ts';

/** A command in the tree. The module is loaded when the command is used; `import()` stays literal for the bundler. */
export interface Leaf {
  readonly kind: 'command';
  /** The name and, after it, other names within the same group. */
  readonly names: readonly string[];
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: Command }>;
  /** Listed first in the program's help. */
  readonly common?: boolean;
}

/** Commands about one kind of thing. */
export interface Group {
  readonly kind: 'group';
  readonly names: readonly string[];
  readonly summary: string;
  readonly children: readonly Entry[];
}

/** A node of the command tree. */
export type Entry = Leaf | Group;

/** A command. Its names have spaces between them. */
export function leaf(names: string, summary: string, load: Leaf['load']): Leaf {
  return { kind: 'command', names: names.split(' '), summary, load };
}
