import type { IncomingMessage } from 'node:http';
import { EngineError, type ErrorKind, notFound } from '#/base/errors.ts';
import { type Field, parseJson } from '#/oci/json.ts';
import { familiarName, familiarString, type Reference } from '#/oci/reference.ts';
import { readStart } from './body.ts';

/** What a registry says to be wrong (distribution-spec, "Error Codes"). */
interface RegistryProblem {
  /** Such as `MANIFEST_UNKNOWN`. */
  readonly code: string;
  readonly message: string;
}

/** A registry refused or failed. The message has its words, in Docker's form. */
export class RegistryError extends EngineError {
  /** Of the answer. */
  readonly status: number;
  readonly codes: readonly string[];
  /** When it may be asked again, in milliseconds, if it said so. */
  readonly retryAfter: number | undefined;
  /** The request, as `requestName` names it; the registry's own words do not say it. */
  readonly asked: string | undefined;

  constructor(
    kind: ErrorKind,
    message: string,
    details: {
      status: number;
      codes?: readonly string[];
      retryAfter?: number | undefined;
      asked?: string | undefined;
    },
  ) {
    super(kind, message);
    this.status = details.status;
    this.codes = details.codes ?? [];
    this.retryAfter = details.retryAfter;
    this.asked = details.asked;
  }

  /** Asking again later can help. */
  get isPassing(): boolean {
    return this.status === 429 || this.status === 408 || (this.status >= 500 && this.status !== 501);
  }
}

const maxErrorBytes = 64 * 1024;
const maxProblems = 20;
const maxMessage = 1000;

/** The error that an answer with a status of 400 or more is. `what` names the request, as `requestName` does. */
export async function registryError(response: IncomingMessage, what: string): Promise<RegistryError> {
  const status = response.statusCode ?? 0;
  const body = await readStart(response, maxErrorBytes);
  const { problems, detail } = complaintsIn(body);
  const kind = kindOf(status);
  const codes = problems.map(({ code }) => code);
  const details = { status, codes, retryAfter: retryAfterOf(response), asked: what };
  const words = problems.map(({ code, message }) => `${code.toLowerCase().replaceAll('_', ' ')}: ${message}`);
  const said = words.length > 1 ? `errors:\n${words.join('\n')}` : words[0];
  return new RegistryError(kind, failureText({ response, what, said, detail }), details);
}

/** Docker's words: what the registry says, unless it failed itself; then also what was asked. */
function failureText({
  response: { statusCode = 0, statusMessage = '' },
  what,
  said,
  detail,
}: {
  response: IncomingMessage;
  what: string;
  said: string | undefined;
  detail: string | undefined;
}): string {
  if (said !== undefined && statusCode < 500) return said;
  if (statusCode === 401) return `unauthorized: ${detail ?? 'authentication required'}`;
  if (statusCode === 429) return 'toomanyrequests: too many requests to registry';
  const status = `${what}: received unexpected HTTP status: ${statusCode} ${printable(statusMessage)}`.trim();
  return said === undefined ? status : `${status}: ${said}`;
}

/** Docker's words for a pull that a registry refused. Other errors stay what they are. */
export function pullFailure(error: unknown, reference: Reference): unknown {
  if (!(error instanceof RegistryError)) return error;
  const codes = new Set(error.codes);
  if (codes.has('DENIED')) {
    const name = familiarName(reference);
    return notFound(
      `pull access denied for ${name}, repository does not exist or may require 'docker login': ${error.message}`,
      error,
    );
  }
  if (codes.has('MANIFEST_UNKNOWN')) {
    return notFound(`manifest for ${familiarString(reference)} not found: ${error.message}`, error);
  }
  if (codes.has('NAME_UNKNOWN')) {
    return notFound(`repository ${familiarName(reference)} not found: ${error.message}`, error);
  }
  return error;
}

function kindOf(status: number): ErrorKind {
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'notFound';
  if (status === 429 || status >= 500) return 'unavailable';
  return 'invalid';
}

/** What the body complains of: in the protocol's form, or in that of token services, which is a text. */
function complaintsIn(body: Buffer): { problems: RegistryProblem[]; detail?: string | undefined } {
  try {
    const document = parseJson(body, { what: 'error of the registry', maxBytes: maxErrorBytes });
    const detail = document.get('details').optional((field) => printable(field.string()));
    const problems = document.get('errors').optional((field) => field.list(maxProblems, problemOf));
    return { problems: problems ?? [], detail };
  } catch {
    // Something between us and the registry answered, in words of its own.
    return { problems: [] };
  }
}

function problemOf(problem: Field): RegistryProblem {
  const code = printable(problem.get('code').string().slice(0, 100));
  const message = problem.get('message').optional((field) => field.string()) ?? '';
  return { code, message: printable(message === '' ? code.toLowerCase().replaceAll('_', ' ') : message) };
}

/** Seconds or a date (RFC 9110, section 10.2.3). */
function retryAfterOf({ headers }: IncomingMessage): number | undefined {
  const text = headers['retry-after'];
  if (text === undefined) return undefined;
  if (/^\d{1,6}$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/** Without what could do something to a terminal. */
function printable(text: string): string {
  return text.slice(0, maxMessage).replace(/\p{Cc}/gu, ' ');
}
