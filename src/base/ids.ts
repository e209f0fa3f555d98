import { randomBytes } from 'node:crypto';

/** A fresh identifier: 64 lower-case hexadecimal digits, never all digits in its first 12 (they serve as host names). */
export function newId(): string {
  for (;;) {
    const id = randomBytes(32).toString('hex');
    if (/[a-f]/.test(id.slice(0, 12))) return id;
  }
}

/** The form of an identifier that people see: its first 12 digits, without an algorithm prefix. */
export function shortId(id: string): string {
  return id.replace(/^[a-z0-9]+:/, '').slice(0, 12);
}

/** Tells whether `text` is a whole identifier. */
export function isFullId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
