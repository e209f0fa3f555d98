import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import type { Endpoint } from './endpoint.ts';

/** One request to the daemon. */
export interface Exchange {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Readable | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A whole answer. */
export interface Answer {
  readonly status: number;
  /** The reason phrase. */
  readonly reason: string;
  /** The version of the API that the daemon speaks, if it says so. */
  readonly version: string | undefined;
  /** The program that answers, if it says so. */
  readonly server: string | undefined;
  readonly text: string;
}

/** What opens raw connections and streams. */
interface HttpModule {
  readonly agent: Agent;
  readonly request: (options: RequestOptions) => ClientRequest;
}

/** Bun's fetch takes a socket, and its time limit can be switched off. */
type BunFetchOptions = RequestInit & { readonly unix: string; readonly timeout: false };

/** Sends requests to one endpoint over connections that are kept and used again. */
export class Transport implements Disposable {
  readonly #endpoint: Endpoint;
  #http: Promise<HttpModule> | undefined;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  /** The whole answer. Rejects with the socket's error if the daemon is not reached. */
  async ask(exchange: Exchange & { readonly body?: string | undefined }): Promise<Answer> {
    // The binary is Bun, where loading node:http takes longer than all the rest of a short command.
    if (process.versions['bun'] !== undefined && this.#endpoint.kind === 'unix') {
      return askWithFetch(this.#endpoint.path, exchange);
    }
    return readAnswer(await this.send(exchange));
  }

  /** The answer as a stream, as soon as its head is there. Rejects with the socket's error as `ask` does. */
  async send(exchange: Exchange): Promise<IncomingMessage> {
    const call = await this.#start(exchange);
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      call.once('response', resolve);
      call.once('error', reject);
    });
    finish(call, exchange.body);
    return answer;
  }

  /** Asks for a raw connection; the answer instead if the daemon refuses. */
  async hijack(
    exchange: Exchange,
  ): Promise<{ socket: Duplex; early: Buffer } | { refused: IncomingMessage }> {
    const call = await this.#start({
      ...exchange,
      headers: { ...exchange.headers, Connection: 'Upgrade', Upgrade: 'tcp' },
    });
    const answer = new Promise<{ socket: Duplex; early: Buffer } | { refused: IncomingMessage }>(
      (resolve, reject) => {
        call.once('upgrade', (_response, socket: Duplex, early: Buffer) => resolve({ socket, early }));
        call.once('response', (refused) => resolve({ refused }));
        call.once('error', reject);
      },
    );
    finish(call, exchange.body);
    return answer;
  }

  [Symbol.dispose](): void {
    void this.#http?.then(({ agent }) => agent.destroy());
  }

  async #start({ method, path, headers, signal }: Exchange): Promise<ClientRequest> {
    this.#http ??= loadHttp(this.#endpoint);
    const { agent, request } = await this.#http;
    const target =
      this.#endpoint.kind === 'unix'
        ? { socketPath: this.#endpoint.path }
        : { host: this.#endpoint.host, port: this.#endpoint.port };
    return request({ method, path, headers, agent, ...target, ...(signal !== undefined && { signal }) });
  }
}

async function loadHttp(endpoint: Endpoint): Promise<HttpModule> {
  if (endpoint.kind === 'unix' || endpoint.tls === undefined) {
    const { Agent: HttpAgent, request } = await import('node:http');
    return { agent: new HttpAgent({ keepAlive: true }), request };
  }
  const { Agent: HttpsAgent, request } = await import('node:https');
  const { isIP } = await import('node:net');
  const { ca, cert, key, verify } = endpoint.tls;
  const agent = new HttpsAgent({
    keepAlive: true,
    rejectUnauthorized: verify,
    // Else the Host header is what the certificate must name. Addresses are not sent as names (RFC 6066 section 3).
    servername: isIP(endpoint.host) === 0 ? endpoint.host : '',
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  });
  return { agent, request };
}

function finish(call: ClientRequest, body: Exchange['body']): void {
  if (body === undefined || typeof body === 'string') {
    call.end(body);
    return;
  }
  body.once('error', (error) => call.destroy(error));
  body.pipe(call);
}

async function askWithFetch(
  unix: string,
  { method, path, headers, body, signal }: Exchange & { readonly body?: string | undefined },
): Promise<Answer> {
  const options: BunFetchOptions = {
    unix,
    timeout: false,
    method,
    headers,
    ...(body !== undefined && { body }),
    ...(signal !== undefined && { signal }),
  };
  const response = await fetch(`http://skiff${path}`, options);
  return {
    status: response.status,
    reason: response.statusText,
    version: response.headers.get('api-version') ?? undefined,
    server: response.headers.get('server') ?? undefined,
    text: await response.text(),
  };
}

/** Reads a streamed answer to its end. */
export async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return {
    status: response.statusCode ?? 0,
    reason: response.statusMessage ?? '',
    version: versionOf(response),
    server: headerOf(response, 'server'),
    text: Buffer.concat(chunks).toString(),
  };
}

/** The version of the API that the head of an answer tells. */
export function versionOf(response: IncomingMessage): string | undefined {
  return headerOf(response, 'api-version');
}

function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}
