import { messageOf } from '#/base/errors.ts';
import { ExitError } from '../command.ts';
import { indentJson, parseJson } from './go-json.ts';
import { type Shape, shaped } from './shape.ts';
import { Template } from './template.ts';

/** One thing that an inspect command found. */
export interface Inspected {
  /** The daemon's JSON, word for word. */
  readonly raw: string;
  readonly shape: Shape;
}

/** Where the output of an inspect command goes. */
interface Streams {
  readonly stdout: { write(text: string): unknown };
}

/** Exit code for a template that cannot be parsed. */
const badTemplate = 64;
const indent = '    ';

/**
 * The work of all inspect commands: looks up each reference, prints what was found as JSON or through a template, then
 * fails with what was not.
 */
export async function inspectAll(
  { stdout }: Streams,
  references: readonly string[],
  { format, find }: { format: string; find: (reference: string) => Promise<Inspected> },
): Promise<void> {
  const template = parseInspectFormat(format);
  const found: Inspected[] = [];
  const failures: string[] = [];
  let text = '';
  for (const reference of references) {
    try {
      const thing = await find(reference);
      found.push(thing);
      if (template !== undefined) text += `${executeOn(template, thing)}\n`;
    } catch (error) {
      failures.push(messageOf(error));
    }
  }
  if (template !== undefined) stdout.write(text === '' ? '\n' : text);
  else stdout.write(`${asJson(found, format === 'json')}\n`);
  if (failures.length > 0) throw new ExitError(1, failures.join('\n'));
}

function parseInspectFormat(format: string): Template | undefined {
  if (format === '' || format === 'json') return undefined;
  try {
    return new Template(format);
  } catch (error) {
    throw new ExitError(badTemplate, `template parsing error: ${messageOf(error)}`, { cause: error });
  }
}

/** Tries the Go type first; what it lacks (other spellings, newer fields) may be in the JSON. */
function executeOn(template: Template, { raw, shape }: Inspected): string {
  const value = parseJson(raw);
  try {
    return template.execute(shaped(value, shape));
  } catch {
    try {
      return template.execute(value, { strict: true });
    } catch (error) {
      throw new Error(`template parsing error: ${messageOf(error)}`, { cause: error });
    }
  }
}

function asJson(found: readonly Inspected[], compact: boolean): string {
  const text = `[${found.map(({ raw }) => raw.trim()).join(',')}]`;
  if (found.length === 0) return '[]';
  return compact ? compactJson(text) : indentJson(text, indent);
}

/** Without the white space between tokens. */
function compactJson(text: string): string {
  return text.replace(/("(?:[^"\\]|\\.)*")|\s+/g, (_all, quoted: string | undefined) => quoted ?? '');
}
