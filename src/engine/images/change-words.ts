import { invalid } from '#/base/errors.ts';

/** One instruction: its word in capitals and what follows it. */
export interface Instruction {
  readonly word: string;
  readonly rest: string;
}

/** Takes lines of a Dockerfile apart: comments, blank lines and continuations as there. Throws `invalid` if none is left. */
export function splitInstructions(text: string): Instruction[] {
  const instructions: Instruction[] = [];
  let pending = '';
  for (const line of text.split('\n')) {
    if (/^\s*(?:#|$)/.test(line)) continue;
    const continued = /^(.*)\\[ \t]*$/.exec(pending + line);
    if (continued !== null) {
      pending = continued[1] ?? '';
      continue;
    }
    instructions.push(instructionOf(pending + line));
    pending = '';
  }
  if (pending.trim() !== '') instructions.push(instructionOf(pending));
  if (instructions.length === 0) throw invalid('file with no instructions');
  return instructions;
}

/** A JSON list of strings; undefined for anything else, which is then meant for the shell. Throws for other lists. */
export function jsonWords(rest: string): string[] | undefined {
  if (!rest.startsWith('[')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(rest);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  if (!value.every((item) => typeof item === 'string')) {
    throw invalid('when using JSON array syntax, arrays must be comprised of strings only');
  }
  return value;
}

/** Words between blanks; quotes and backslashes keep blanks together and stay in place. */
export function quotedWords(text: string): string[] {
  return text.match(/(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^\s])+/gs) ?? [];
}

/**
 * A word as the shell would see it: `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:+other}` replaced, quotes and
 * backslashes resolved. No other program runs.
 */
export function expandWord(word: string, variables: ReadonlyMap<string, string>): string {
  const pattern = /\\(.)|'([^']*)'|"((?:\\.|[^"\\])*)"|\$(?:(\w+)|\{(\w+)(?::([-+])((?:\\.|[^}\\])*))?\})/gs;
  return word.replace(pattern, (_whole, ...groups: (string | undefined)[]) => {
    const [escaped, single, double, name, braced, operator, alternative = ''] = groups;
    if (escaped !== undefined) return escaped;
    if (single !== undefined) return single;
    if (double !== undefined) return expandDouble(double, variables);
    const value = variables.get(name ?? braced ?? '') ?? '';
    if (operator === undefined) return value;
    const usesAlternative = (value === '') === (operator === '-');
    return usesAlternative ? expandWord(alternative, variables) : operator === '-' ? value : '';
  });
}

/** Inside double quotes a backslash only protects what would mean something there. */
function expandDouble(text: string, variables: ReadonlyMap<string, string>): string {
  const literal = text.replace(/\\([^"$\\])/gs, '\\\\$1').replaceAll("'", "\\'");
  return expandWord(literal, variables);
}

function instructionOf(line: string): Instruction {
  const [, word = '', rest = ''] = /^\s*(\S+)\s*(.*?)\s*$/s.exec(line) ?? [];
  return { word: word.toUpperCase(), rest };
}
