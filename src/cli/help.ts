import type { Command } from './command.ts';
import type { FlagTable } from './flags/flag.ts';
import { flagUsages } from './flags/usage.ts';
import { invocations, root } from './tree.ts';
import type { Entry, Group, Leaf } from './tree-node.ts';

/** The line that says how to call a command. */
export function usageLine(path: string, command: Command): string {
  return command.usage === '' ? path : `${path} ${command.usage}`;
}

/** The help of a command. */
export function commandHelp(
  path: string,
  { leaf, command, width }: { leaf: Leaf; command: Command; width: number },
): string {
  const others = invocations(leaf);
  const flags = flagUsages(command.flags, width - 1);
  return [
    `Usage:  ${usageLine(path, command)}`,
    command.description ?? leaf.summary,
    others.length > 1 ? `Aliases:\n  ${others.join(', ')}` : '',
    flags === '' ? '' : `Options:\n${flags}`,
  ]
    .filter((part) => part !== '')
    .join('\n\n')
    .concat('\n');
}

function listing(title: string, children: readonly Entry[]): string {
  if (children.length === 0) return '';
  const width = Math.max(...root.children.map((child) => child.names[0]?.length ?? 0));
  const lines = children.map(({ names, summary }) => `  ${(names[0] ?? '').padEnd(width)}  ${summary}`);
  return `${title}:\n${lines.join('\n')}`;
}

/** The help of the program or of a group of commands. */
export function groupHelp(path: string, group: Group, options: { flags: FlagTable; width: number }): string {
  const commands = group.children.filter((child) => child.kind === 'command');
  const flags = flagUsages(options.flags, options.width - 1);
  return [
    `Usage:  ${path}${group === root ? ' [OPTIONS]' : ''} COMMAND`,
    group.summary,
    listing(
      'Common Commands',
      commands.filter((child) => child.common === true),
    ),
    listing(
      'Management Commands',
      group.children.filter((child) => child.kind === 'group'),
    ),
    listing(
      'Commands',
      commands.filter((child) => child.common !== true),
    ),
    flags === '' ? '' : `Global Options:\n${flags}`,
    `Run '${path} COMMAND --help' for more information on a command.`,
  ]
    .filter((part) => part !== '')
    .join('\n\n')
    .concat('\n');
}
