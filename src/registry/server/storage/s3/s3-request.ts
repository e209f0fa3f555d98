import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { AwsV4Signer } from 'aws4fetch';
import { type EngineError, internal, messageOf, unavailable } from '#/base/errors.ts';
import type { S3Config } from '../../config/storage.ts';
import type { S3Credentials } from './credentials.ts';
import { elementText } from './xml.ts';

/** One request to the bucket. */
export interface S3Request {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** Without the prefix of the configuration; `undefined` is the bucket itself. */
  readonly key: string | undefined;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer> | string;
  /** The answer's body is read by the caller as it comes; otherwise it has come whole, or the request is repeated. */
  readonly isStream?: boolean;
}

/** An answer other than success. */
export interface S3Failure {
  readonly status: number;
  /** S3's name for it, such as `NoSuchKey`; `` if it did not say. */
  readonly code: string;
  readonly message: string;
}

const attempts = 5;
/** Milliseconds before the second attempt; doubled for each further one. */
const firstPause = 100;
/** Milliseconds without an answer. */
const patience = 120_000;
const transient: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Sends signed requests (AWS Signature Version 4) and repeats those that failed for a reason that may pass. */
export class S3Requests {
  readonly #config: S3Config;
  readonly #credentials: S3Credentials;

  constructor(config: S3Config, credentials: S3Credentials) {
    this.#config = config;
    this.#credentials = credentials;
  }

  /**
   * The answer, or what S3 said instead, for the statuses in `expected`. Throws
   * `unavailable` when the service cannot be had, `internal` for other refusals.
   */
  async send(request: S3Request, expected: readonly number[] = []): Promise<Response | S3Failure> {
    let pause = firstPause;
    for (let attempt = 1; ; attempt += 1) {
      const answer = await this.#try(request);
      if (answer instanceof Response && answer.ok) return answer;
      const failure = answer instanceof Response ? await failureOf(answer) : answer;
      if (expected.includes(failure.status)) return failure;
      if (attempt === attempts || !(failure.status === 0 || transient.has(failure.status))) {
        throw this.#error(request, failure);
      }
      // Processes that failed together should not come back together.
      await sleep(pause * (0.5 + Math.random()));
      pause *= 2;
    }
  }

  /** As `send`, for requests to which there is no other answer than success. */
  async succeed(request: S3Request): Promise<Response> {
    const answer = await this.send(request);
    if (answer instanceof Response) return answer;
    throw this.#error(request, answer);
  }

  /** A URL at which anybody can GET the object for so many seconds. */
  async presign(key: string, seconds: number): Promise<string> {
    const url = this.#url({ method: 'GET', key, query: { 'X-Amz-Expires': String(seconds) } });
    const signed = await this.#signer({ method: 'GET', url, signQuery: true }).sign();
    return signed.url.href;
  }

  async #try(request: S3Request): Promise<Response | S3Failure> {
    const { method, body } = request;
    const headers = new Headers(request.headers);
    // Over TLS the content need not be signed too.
    const isPlain = this.#config.endpoint.protocol === 'http:';
    headers.set('x-amz-content-sha256', isPlain ? sha256(body ?? '') : 'UNSIGNED-PAYLOAD');
    const signed = await this.#signer({ method, url: this.#url(request), headers }).sign();
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error(`no answer for ${patience / 1000} s`)), patience);
    try {
      const response = await fetch(signed.url, {
        method,
        headers: signed.headers,
        body: body ?? null,
        redirect: 'manual',
        signal: late.signal,
      });
      return request.isStream === true && response.ok ? response : await wholeOf(response);
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      return { status: 0, code: '', message: messageOf(cause) };
    } finally {
      // What follows may take long; undici watches that it does not stand still.
      clearTimeout(timer);
    }
  }

  #signer(
    input: Pick<ConstructorParameters<typeof AwsV4Signer>[0], 'method' | 'url' | 'headers' | 'signQuery'>,
  ): AwsV4Signer {
    const { accessKeyId, secretAccessKey, sessionToken } = this.#credentials.keys;
    return new AwsV4Signer({
      ...input,
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
      service: 's3',
      region: this.#config.region,
    });
  }

  #url({ key, query = {} }: S3Request): string {
    const { endpoint, bucket, pathStyle, prefix } = this.#config;
    const host = pathStyle ? endpoint.host : `${bucket}.${endpoint.host}`;
    const base = `${endpoint.protocol}//${host}${endpoint.pathname.replace(/\/$/, '')}`;
    const path =
      key === undefined ? '' : `/${`${prefix}${key}`.split('/').map(encodeURIComponent).join('/')}`;
    const search = new URLSearchParams(query).toString();
    return `${base}${pathStyle ? `/${bucket}` : ''}${path}${search === '' ? '' : `?${search}`}`;
  }

  #error({ method, key }: S3Request, { status, code, message }: S3Failure): EngineError {
    const what = key === undefined ? 'the bucket' : `"${key}" in the bucket`;
    const why = `${status === 0 ? '' : `${status} `}${code}${code === '' || message === '' ? '' : ': '}${message}`;
    const text = `cannot ${method} ${what} "${this.#config.bucket}" at ${this.#config.endpoint.host}: ${why}`;
    return status === 0 || transient.has(status) ? unavailable(text) : internal(text);
  }
}

/** The same answer with its body in memory. */
async function wholeOf(response: Response): Promise<Response> {
  const { status, headers } = response;
  const body = await response.arrayBuffer();
  return new Response(body.byteLength === 0 ? null : body, { status, headers });
}

async function failureOf(response: Response): Promise<S3Failure> {
  const text = (await response.text()).slice(0, 10_000);
  return {
    status: response.status,
    code: elementText(text, 'Code') ?? '',
    message: (elementText(text, 'Message') ?? '').slice(0, 300),
  };
}

function sha256(body: Uint8Array | string): string {
  return createHash('sha256').update(body).digest('hex');
}
