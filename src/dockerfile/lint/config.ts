import { invalid } from '#/base/errors.ts';
import { goQuote } from '#/base/go-quote.ts';
import { parseDirective } from '../directives.ts';
import { trimBlanks } from '../text.ts';

/** Rules by their names, or all of them. */
type Selection = 'all' | ReadonlySet<string>;

/** What the linter is to do: `skip=A,B;experimental=C;error=true`. */
export interface LintConfig {
  readonly skip: Selection;
  readonly experimental: Selection;
  /** Warnings make the build fail. */
  readonly isStrict: boolean;
}

const nothing: ReadonlySet<string> = new Set();

/** Look for everything that is not experimental, and only warn. */
const defaultLintConfig: LintConfig = { skip: nothing, experimental: nothing, isStrict: false };

/** Reads the value of `# check=` or of the build argument `BUILDKIT_DOCKERFILE_CHECK`. Throws `invalid`. */
export function parseLintConfig(text: string): LintConfig {
  let config = defaultLintConfig;
  if (trimBlanks(text) === '') return config;
  for (const part of text.split(';')) {
    const at = part.indexOf('=');
    if (at < 0) throw wrong(`invalid check option ${goQuote(part)}`);
    const key = trimBlanks(part.slice(0, at));
    const value = trimBlanks(part.slice(at + 1));
    switch (key) {
      case 'skip':
        config = { ...config, skip: selection(value) };
        break;
      case 'experimental':
        config = { ...config, experimental: selection(value) };
        break;
      case 'error':
        config = { ...config, isStrict: truth(part, value) };
        break;
      default:
        throw wrong(`invalid check option ${goQuote(key)}`);
    }
  }
  return config;
}

/** Whether a rule is looked for, given the comments above an instruction: `# check=skip=RULE` there counts, too. */
export function isWanted(
  { name, isExperimental }: { readonly name: string; readonly isExperimental?: boolean },
  config: LintConfig,
  comments: readonly string[],
): boolean {
  const configs = [config, ...comments.flatMap(configOf)];
  const isIn = (which: 'skip' | 'experimental'): boolean => {
    return configs.some(({ [which]: selected }) => selected === 'all' || selected.has(name));
  };
  return isExperimental === true ? isIn('experimental') : !isIn('skip');
}

/** A comment that cannot be read is a comment. */
function configOf(comment: string): LintConfig[] {
  const directive = parseDirective(comment);
  if (directive?.name !== 'check') return [];
  try {
    return [parseLintConfig(directive.value.split(' ', 1)[0] ?? '')];
  } catch {
    return [];
  }
}

function selection(value: string): Selection {
  return value === 'all' ? 'all' : new Set(value.split(',').map(trimBlanks));
}

function truth(part: string, value: string): boolean {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
  throw wrong(
    `failed to parse check option ${goQuote(part)}: strconv.ParseBool: parsing ${goQuote(value)}: invalid syntax`,
  );
}

function wrong(reason: string): Error {
  return invalid(`failed to parse check options: ${reason}`);
}
