import { invalid } from '#/base/errors.ts';
import { type Filters, noFilters, parseFilters } from '#/wire/filters.ts';

const falseWords: ReadonlySet<string> = new Set(['', '0', 'no', 'false', 'none']);

/** The parameters behind the question mark, read by Docker's rules. */
export class Query {
  readonly #params: URLSearchParams;

  constructor(text: string) {
    this.#params = new URLSearchParams(text);
  }

  /** The first value, or an empty string. */
  text(name: string): string {
    return this.#params.get(name) ?? '';
  }

  /** Every value. */
  all(name: string): string[] {
    return this.#params.getAll(name);
  }

  has(name: string): boolean {
    return this.#params.has(name);
  }

  /** True for anything but "", "0", "no", "false" and "none"; `fallback` if the parameter is absent. */
  bool(name: string, fallback: boolean = false): boolean {
    const value = this.#params.get(name);
    return value === null ? fallback : !falseWords.has(value.trim().toLowerCase());
  }

  /** A whole number, undefined if the parameter is absent or empty. Throws `invalid` for anything else. */
  int(name: string): number | undefined {
    const value = this.text(name);
    if (value === '') return undefined;
    const number = Number(value);
    if (!/^[+-]?\d+$/.test(value) || !Number.isSafeInteger(number)) {
      throw invalid(`strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`);
    }
    return number;
  }

  /** Nanoseconds since 1970 from `seconds[.fraction]`, undefined if absent, empty or "0" (which means no bound). */
  time(name: string): bigint | undefined {
    const value = this.text(name);
    if (value === '') return undefined;
    const match = /^(-?)(\d{1,12})(?:\.(\d{1,9})\d*)?$/.exec(value);
    if (match === null) {
      const seconds = value.split('.')[0] ?? '';
      throw invalid(`strconv.ParseInt: parsing ${JSON.stringify(seconds)}: invalid syntax`);
    }
    const [, sign, seconds = '0', fraction = ''] = match;
    const nanos = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
    return sign === '-' ? -nanos : nanos;
  }

  /** The `filters` parameter. Throws `invalid` if it is not a JSON object of the one or the other form. */
  filters(): Filters {
    const value = this.text('filters');
    if (value === '') return noFilters;
    try {
      return parseFilters(value);
    } catch (error) {
      throw invalid('invalid filter', error);
    }
  }
}
