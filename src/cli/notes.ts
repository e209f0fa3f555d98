import type { Output } from './command.ts';
import { displayWidth } from './format/tabwriter.ts';

/** Between a letter on a colour and an arrow. */
function heading(word: 'Info' | 'Warn', colour: number): { plain: string; fancy: string } {
  const letter = `\u001b[1;30;${colour + 10}m${word.charAt(0).toLowerCase()}\u001b[0m`;
  return { plain: ` ${word} -> `, fancy: `${letter} \u001b[1;${colour}m${word} → \u001b[0m` };
}

const headings = { info: heading('Info', 96), warning: heading('Warn', 93) } as const;
const fancyWidth = displayWidth('i Info → ');

/** Tells people something beside the result, as docker does: below an empty line, with a heading, in italics on a terminal. */
export function printNote(output: Output, text: string, kind: 'info' | 'warning' = 'info'): void {
  const { plain, fancy } = headings[kind];
  const isTerminal = output.isTTY;
  const indent = ' '.repeat(isTerminal ? fancyWidth : plain.length);
  const lines = text.split('\n').map((line) => (isTerminal ? `\u001b[3m${line}\u001b[0m` : line));
  output.write(`\n${isTerminal ? fancy : plain}${lines.join(`\n${indent}`)}\n`);
}
