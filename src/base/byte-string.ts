/**
 * A string with one character per byte (code units 0 to 255), for file names and other text of the file system: those
 * are bytes in no particular encoding, and must come out of an archive as they went in. ASCII is the same in both.
 */
export type ByteString = string;

/** `text` as a byte string of its UTF-8 form. */
export function byteString(text: string): ByteString {
  return isAscii(text) ? text : Buffer.from(text).toString('latin1');
}

/** A byte string as text for people: UTF-8 where it is that, with replacement characters where it is not. */
export function textOf(bytes: ByteString): string {
  return isAscii(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString();
}

/** A byte string in the form that kernel calls and node:fs take: text where both are the same, else bytes. */
export function rawBytes(bytes: ByteString): string | Buffer {
  return isAscii(bytes) ? bytes : Buffer.from(bytes, 'latin1');
}

/** A byte string in quotes, for messages. */
export function quoted(bytes: ByteString): string {
  return JSON.stringify(textOf(bytes));
}

function isAscii(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- the range is the point
  return !/[^\x00-\x7f]/.test(text);
}
