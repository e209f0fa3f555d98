import { invalid } from '#/base/errors.ts';

/** An option that is yes or no, as Go reads it; undefined where there is none, empty is yes. Throws `invalid`. */
export function readFlag(options: ReadonlyMap<string, string>, name: string): boolean | undefined {
  const text = options.get(name);
  if (text === undefined) return undefined;
  if (['', '1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false;
  throw invalid(`non-bool value ${JSON.stringify(text)} specified for ${name}`);
}
