import { GoFloat } from './go-values.ts';

/**
 * The value of a Go number literal: decimal, 0x, 0o, 0b and old octal integers, floats, underscores between digits.
 * Integers beyond 2^53 become bigints; `undefined` for what is no number.
 */
export function parseGoNumber(text: string): number | bigint | GoFloat | undefined {
  const plain = text.replaceAll('_', '').replace(/^\+/, '');
  const octal = plain.replace(/^(-?)0(?=[0-7]+$)/, '$10o');
  const negative = octal.startsWith('-');
  const digits = negative ? octal.slice(1) : octal;
  if (/^(?:0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|[0-9]+)$/.test(digits)) {
    const value = BigInt(digits) * (negative ? -1n : 1n);
    return BigInt.asIntN(54, value) === value ? Number(value) : value;
  }
  const value = Number(plain);
  return plain === '' || Number.isNaN(value) ? undefined : new GoFloat(value);
}
