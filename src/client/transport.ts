import { Agent, type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http';
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

/** Sends requests to one endpoint over connections that are kept and used again. */
export class Transport implements Disposable {
  readonly #endpoint: Endpoint;
  readonly #agent: Promise<Agent>;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
    this.#agent = makeAgent(endpoint);
  }

  /** The answer, as soon as its head is there. Rejects with the socket's error if the daemon is not reached. */
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
    void this.#agent.then((agent) => agent.destroy());
  }

  async #start({ method, path, headers, signal }: Exchange): Promise<ClientRequest> {
    const agent = await this.#agent;
    const options: RequestOptions = { method, path, headers, agent, ...(signal !== undefined && { signal }) };
    if (this.#endpoint.kind === 'unix') return request({ ...options, socketPath: this.#endpoint.path });
    const { host, port, tls } = this.#endpoint;
    if (tls === undefined) return request({ ...options, host, port });
    const https = await import('node:https');
    return https.request({ ...options, host, port });
  }
}

async function makeAgent(endpoint: Endpoint): Promise<Agent> {
  if (endpoint.kind === 'unix' || endpoint.tls === undefined) return new Agent({ keepAlive: true });
  const https = await import('node:https');
  const { ca, cert, key, verify } = endpoint.tls;
  return new https.Agent({
    keepAlive: true,
    rejectUnauthorized: verify,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  });
}

function finish(call: ClientRequest, body: Exchange['body']): void {
  if (body === undefined || typeof body === 'string') {
    call.end(body);
    return;
  }
  body.once('error', (error) => call.destroy(error));
  body.pipe(call);
}
