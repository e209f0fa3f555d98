import type { IncomingMessage } from 'node:http';
import { invalid, tooLarge } from '#/base/errors.ts';
import type { Call } from './call.ts';
import { DecodeError, type Decoder } from './decode/json.ts';
import { jsonStreamProblem } from './decode/json-syntax.ts';
import type { Query } from './query.ts';

/** The longest JSON body that is read. Bytes. */
const maxBodySize = 4 * 1024 * 1024;

/**
 * The JSON body as a typed value. No body at all is the zero value, as for Docker (unless `required`). Throws `invalid`
 * for another content type, broken JSON, anything after the value and wrong types, `tooLarge` for a body over `maxSize`, 4 MiB.
 */
export async function readJson<T>(
  call: Call,
  decoder: Decoder<T>,
  { required = false, maxSize = maxBodySize }: { required?: boolean; maxSize?: number } = {},
): Promise<T> {
  checkContentType(call.request);
  const body = await readBody(call.request, maxSize);
  if (body.length === 0) {
    if (required) throw invalid('invalid JSON: got EOF while reading request body');
    return decoder(undefined, '');
  }
  return decodeJson(body, decoder);
}

/** A body that is not JSON, as it comes. Who stops reading early can still answer: the connection stays. */
export function uploadOf({ request }: Call): AsyncIterable<Uint8Array> {
  return request.iterator({ destroyOnReturn: false });
}

/** The typed value of a JSON text. Throws `invalid`. */
function decodeJson<T>(body: Buffer, decoder: Decoder<T>): T {
  const value = parse(body);
  try {
    return decoder(value, '');
  } catch (error) {
    if (error instanceof DecodeError) throw invalid(`invalid JSON: ${error.message}`, error);
    throw error;
  }
}

/** Tells whether the request says that it has a body. */
function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length'];
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

function checkContentType(request: IncomingMessage): void {
  const header = request.headers['content-type'];
  if (header === undefined) {
    if (hasBody(request)) throw invalid('malformed Content-Type header (): mime: no media type');
    return;
  }
  const type = header.split(';')[0]?.trim().toLowerCase() ?? '';
  if (type === '') throw invalid(`malformed Content-Type header (${header}): mime: no media type`);
  if (type !== 'application/json') {
    throw invalid(`unsupported Content-Type header (${type}): must be 'application/json'`);
  }
}

async function readBody(request: IncomingMessage, maxSize: number): Promise<Buffer> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > maxSize) throw tooLarge('http: request body too large');
  const chunks: Buffer[] = [];
  let size = 0;
  // Destroying the request when the loop is left early would destroy the connection before the refusal is sent.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxSize) throw tooLarge('http: request body too large');
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size);
}

function parse(body: Buffer): unknown {
  const text = body.toString('utf8');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(syntaxMessage(text), error);
  }
}

/** What is wrong with a body, in the words that Docker's clients know. */
function syntaxMessage(text: string): string {
  if (text.trim() === '') return 'invalid JSON: got EOF while reading request body';
  const problem = jsonStreamProblem(text) ?? 'it cannot be read';
  return problem.endsWith('after top-level value')
    ? 'unexpected content after JSON'
    : `invalid JSON: ${problem}`;
}

/** The size of a terminal from the parameters `h` and `w`. Throws `invalid`. */
export function terminalSize(query: Query): { height: number; width: number } {
  return { height: dimension(query, 'h', 'height'), width: dimension(query, 'w', 'width') };
}

function dimension(query: Query, name: string, what: string): number {
  const text = query.text(name);
  const quoted = JSON.stringify(text);
  if (!/^[-+]?\d+$/.test(text)) throw invalid(`invalid resize ${what} ${quoted}: invalid syntax`);
  const value = Number(text);
  if (value < 0 || value > 0xffff) throw invalid(`invalid resize ${what} ${quoted}: value out of range`);
  return value;
}
