import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A command line, perhaps with something on its standard input. */
export interface Step {
  readonly args: readonly string[];
  readonly input: string;
}

/** Command lines that belong together. */
export interface Scenario {
  readonly title: string;
  readonly steps: readonly Step[];
  readonly needsRegistry: boolean;
}

const folder = join(import.meta.dirname, 'scenarios');

/**
 * The scenarios, one file each, one command in each line with words quoted as in a shell. `@` is a prefix of names that
 * are ours and `@@` an @, `%IMAGE` an image, `%DIR` a folder, `%REGISTRY` and `%SECURED` registries; `< "text"` or `< %LONG` comes before a command that reads it.
 */
export function readScenarios(): Scenario[] {
  return readdirSync(folder).map((name) => {
    const text = readFileSync(join(folder, name), 'utf8');
    return {
      title: name.replace(/\.txt$/, '').replaceAll('-', ' '),
      steps: text.trimEnd().split('\n').map(parseStep),
      needsRegistry: /%REGISTRY|%SECURED/.test(text),
    };
  });
}

/** More than a pipe holds. */
const longInput = 'x'.repeat(300_000);

function parseStep(line: string): Step {
  const [, input = '""', command = ''] = /^(?:< (%LONG|"(?:[^"\\]|\\.)*") )?(.*)$/.exec(line) ?? [];
  const words = command.match(/(?:'[^']*'|[^\s'])+/g) ?? [];
  return {
    args: words.map((word) => word.replaceAll("'", '')),
    input: input === '%LONG' ? longInput : String(JSON.parse(input)),
  };
}
