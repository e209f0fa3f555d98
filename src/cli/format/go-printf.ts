import { goQuote } from '#/base/go-quote.ts';
import { formatFloat, sprint } from './go-print.ts';
import { basicKind, type GoValue, numberIn, typeName } from './go-values.ts';

interface Directive {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
  readonly verb: string;
}

const directive = /%([-+# 0]*)(\*|\d+)?(\.(?:\*|\d+)?)?([a-zA-Z%])?|[^%]+/gu;

/** The values of a call, taken one after the other. */
class Operands {
  readonly #values: readonly GoValue[];
  #used = 0;

  constructor(values: readonly GoValue[]) {
    this.#values = values;
  }

  get empty(): boolean {
    return this.#used >= this.#values.length;
  }

  next(): GoValue {
    this.#used += 1;
    return this.#values[this.#used - 1] ?? null;
  }

  /** A width or precision: digits, or `*` for the next value. */
  size(text: string | undefined): number {
    return text === '*' ? Number(numberIn(this.next())) : Number(text ?? 0);
  }

  rest(): readonly GoValue[] {
    return this.#values.slice(this.#used);
  }
}

/** Go's fmt.Sprintf for the verbs v d s q t T x X o b c U e f g and their flags. */
export function sprintf(format: string, values: readonly GoValue[]): string {
  const operands = new Operands(values);
  let out = '';
  for (const match of format.matchAll(directive)) out += formatDirective(match, operands);
  if (operands.empty) return out;
  const extra = operands.rest().map((value) => `${typeName(value)}=${sprint(value)}`);
  return `${out}%!(EXTRA ${extra.join(', ')})`;
}

function formatDirective(
  [text, flags = '', width, dotted, verb]: RegExpMatchArray,
  operands: Operands,
): string {
  if (!text.startsWith('%')) return text;
  if (verb === undefined) return '%!(NOVERB)';
  if (verb === '%') return '%';
  const given = operands.size(width);
  const precision = dotted === undefined ? undefined : operands.size(dotted.slice(1) || undefined);
  if (operands.empty) return `%!${verb}(MISSING)`;
  const how = { flags: given < 0 ? `${flags}-` : flags, width: Math.abs(given), precision, verb };
  return pad(formatOne(operands.next(), how), how);
}

function pad(text: string, { flags, width, verb }: Directive): string {
  const length = Array.from(text).length;
  if (length >= width) return text;
  if (flags.includes('-')) return text + ' '.repeat(width - length);
  if (!flags.includes('0') || 'sqvT'.includes(verb)) return ' '.repeat(width - length) + text;
  const sign = /^[+-]/.exec(text)?.[0] ?? '';
  return sign + '0'.repeat(width - length) + text.slice(sign.length);
}

function wrong(value: GoValue, verb: string): string {
  return value === null ? `%!${verb}(<nil>)` : `%!${verb}(${typeName(value)}=${sprint(value)})`;
}

function formatOne(value: GoValue, how: Directive): string {
  const { verb } = how;
  if (verb === 'v') return verbV(value, how);
  if (verb === 'T') return typeName(value);
  switch (basicKind(value)) {
    case 'bool':
      return verb === 't' ? sprint(value) : wrong(value, verb);
    case 'string':
      return formatString(sprint(value), how);
    case 'int':
      return formatInteger(BigInt(numberIn(value)), how) ?? formatFloatVerb(value, how, false);
    case 'float':
      return formatFloatVerb(value, how, true);
    case 'other':
      if (value !== null && 'sqd'.includes(verb) && Array.isArray(value)) {
        return `[${value.map((item: GoValue) => formatOne(item, how)).join(' ')}]`;
      }
      return verb === 's' && value !== null ? sprint(value) : wrong(value, verb);
  }
}

function verbV(value: GoValue, { flags }: Directive): string {
  if (flags.includes('#') && typeof value === 'string') return goQuote(value);
  const text = sprint(value);
  return flags.includes('+') && typeof value === 'number' && value >= 0 ? `+${text}` : text;
}

function formatString(text: string, how: Directive): string {
  const { verb, precision } = how;
  const cut = precision === undefined ? text : Array.from(text).slice(0, precision).join('');
  if (verb === 's') return cut;
  if (verb === 'q') return goQuote(cut);
  if (verb === 'x' || verb === 'X') {
    const hex = Buffer.from(cut).toString('hex');
    return verb === 'X' ? hex.toUpperCase() : hex;
  }
  return wrong(text, verb);
}

const bases: Readonly<Record<string, number>> = { d: 10, x: 16, X: 16, o: 8, b: 2 };

function formatInteger(value: bigint, how: Directive): string | undefined {
  const { verb, flags } = how;
  const base = bases[verb];
  if (base === undefined) {
    if (verb === 'c') return String.fromCodePoint(Number(value));
    if (verb === 'q') return `'${String.fromCodePoint(Number(value))}'`;
    if (verb === 'U') return `U+${value.toString(16).toUpperCase().padStart(4, '0')}`;
    return undefined;
  }
  const sign = value < 0n ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  const prefix = flags.includes('#') ? ({ 16: `0${verb}`, 8: '0', 2: '0b' }[base] ?? '') : '';
  const digits = (value < 0n ? -value : value).toString(base);
  return sign + prefix + (verb === 'X' ? digits.toUpperCase() : digits);
}

function formatFloatVerb(value: GoValue, how: Directive, isFloat: boolean): string {
  const { verb, precision, flags } = how;
  if (!isFloat || !'feEgGF'.includes(verb)) return wrong(value, verb);
  const number = Number(numberIn(value));
  const sign = flags.includes('+') && number >= 0 ? '+' : '';
  if (verb === 'f' || verb === 'F') return sign + number.toFixed(precision ?? 6);
  if (verb === 'g' || verb === 'G') {
    return (
      sign +
      (precision === undefined
        ? formatFloat(number)
        : formatFloat(Number(number.toPrecision(precision || 1))))
    );
  }
  const [digits, power = '0'] = number.toExponential(precision ?? 6).split('e');
  const exponent = `${power.startsWith('-') ? '-' : '+'}${power.replace(/^[+-]/, '').padStart(2, '0')}`;
  return `${sign}${digits}${verb}${exponent}`;
}
