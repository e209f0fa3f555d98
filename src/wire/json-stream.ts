/**
 * Progress as a stream of JSON objects (`docker load`, `import`, `pull`, `push`, `build`): one object after the other,
 * each followed by CR LF.
 */

/** How much of something is done, in bytes unless `units` says otherwise. */
interface ProgressDetail {
  readonly current?: number;
  readonly total?: number;
  readonly units?: string;
  readonly hidecounts?: boolean;
}

/** One object of the stream. */
export interface ProgressMessage {
  /** Text to print as it is. */
  readonly stream?: string;
  readonly status?: string;
  readonly progressDetail?: ProgressDetail;
  /** What the status is about, for example a layer. */
  readonly id?: string;
  /** The progress bar, drawn by the server. */
  readonly progress?: string;
  readonly from?: string;
  readonly time?: number;
  readonly errorDetail?: { readonly code?: number; readonly message: string };
  /** The message of `errorDetail` again. The operation has failed although the status of the answer is 200. */
  readonly error?: string;
  /** Machine-readable results. */
  readonly aux?: unknown;
}

/** The message as it goes over the wire. */
export function encodeProgress(message: ProgressMessage): string {
  return `${JSON.stringify(message)}\r\n`;
}

/** How long one value may be; a server that sends more is broken. Characters. */
const defaultMaxLength = 16 * 1024 * 1024;

/**
 * The JSON texts of a stream in which each object or array stands by itself, whether or not newlines separate them.
 * Throws a SyntaxError for anything else, for a value that does not end, and for one longer than `maxLength`
 * characters.
 */
export async function* jsonTexts(
  source: AsyncIterable<Uint8Array>,
  { maxLength = defaultMaxLength }: { maxLength?: number } = {},
): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const scanner = new ValueScanner(maxLength);
  for await (const chunk of source) yield* scanner.push(decoder.decode(chunk, { stream: true }));
  yield* scanner.push(decoder.decode());
  scanner.end();
}

/** Finds where a value ends by counting brackets outside strings; JSON.parse judges the rest. */
class ValueScanner {
  readonly #maxLength: number;
  #text = '';
  #at = 0;
  #depth = 0;
  #inString = false;

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  *push(more: string): Generator<string, void, undefined> {
    this.#text += more;
    let start = 0;
    for (; this.#at < this.#text.length; this.#at += 1) {
      const char = this.#text[this.#at];
      if (this.#inString) {
        if (char === '\\') this.#at += 1;
        else if (char === '"') this.#inString = false;
      } else if (char === '"' && this.#depth > 0) {
        this.#inString = true;
      } else if (char === '{' || char === '[') {
        if (this.#depth === 0) start = this.#at;
        this.#depth += 1;
      } else if (char === '}' || char === ']') {
        this.#depth -= 1;
        if (this.#depth < 0) throw new SyntaxError(`unexpected ${char} in a JSON stream`);
        if (this.#depth === 0) {
          yield this.#text.slice(start, this.#at + 1);
          start = this.#at + 1;
        }
      } else if (this.#depth === 0 && !/\s/.test(char ?? '')) {
        throw new SyntaxError(`unexpected ${JSON.stringify(char)} between the values of a JSON stream`);
      }
    }
    this.#text = this.#text.slice(start);
    this.#at -= start;
    if (this.#text.length > this.#maxLength) {
      throw new SyntaxError(`a value of the JSON stream is longer than ${this.#maxLength} characters`);
    }
  }

  end(): void {
    if (this.#depth > 0) throw new SyntaxError('the JSON stream ended inside a value');
  }
}
