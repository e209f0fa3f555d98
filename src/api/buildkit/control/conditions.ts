import { invalid } from '#/base/errors.ts';

/** What is known of fields that filters may name. */
export interface Fields<T> {
  /** Names; others are refused. */
  readonly names: ReadonlySet<string>;
  /** What an object says of a field; undefined if it has none, or if it does not hold. */
  readonly read: (object: T, field: string) => string | undefined;
}

/**
 * One condition of a filter as containerd's clients write them: `field`, `field==value`, `field!=value` or `field~=pattern`,
 * where the value may be quoted. Throws `invalid`.
 */
export function conditionOf<T>(text: string, { names, read }: Fields<T>): (object: T) => boolean {
  const match = /^\s*([a-zA-Z]+)\s*(?:(==|!=|~=)\s*("?)(.*?)\3)?\s*$/.exec(text);
  const [, field = '', operator, , value = ''] = match ?? [];
  if (match === null || !names.has(field)) throw invalid(`invalid filter ${JSON.stringify(text)}`);
  switch (operator) {
    case undefined:
      return (object) => read(object, field) !== undefined;
    case '==':
      return (object) => read(object, field) === value;
    case '!=':
      return (object) => read(object, field) !== value;
    default: {
      // A part of the text instead of a pattern: patterns from elsewhere can take for ever.
      const part = value.replace(/^\^|\$$/g, '');
      return (object) => read(object, field)?.includes(part) ?? false;
    }
  }
}
