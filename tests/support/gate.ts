import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';

/** What becomes of the answer to one request for a blob. */
export interface BlobFate {
  /** Bytes of the body that go through. The rest waits for `rest`. */
  readonly after: number;
  /** `cut` breaks the connection, `garbled` changes a byte, a promise lets the rest through when it resolves. */
  readonly rest: 'cut' | 'garbled' | Promise<void>;
}

/** A request for a blob that came. */
export interface BlobRequest {
  readonly digest: string;
  /** Where the bytes that were asked for begin. */
  readonly start: number;
}

/** A proxy in front of a registry that can hold up and cut the downloads of blobs. */
export class Gate implements AsyncDisposable {
  readonly #upstream: string;
  readonly #server = createServer((call, answer) => {
    this.#handle(call, answer).catch(() => answer.destroy());
  });
  /** What was asked for, in order. */
  readonly requests: BlobRequest[] = [];
  /** Decides about each download; without one they go through. */
  fate: (request: BlobRequest) => BlobFate | undefined = () => undefined;

  private constructor(upstream: string) {
    this.#upstream = upstream;
  }

  /** Opens one before the registry at `upstream` (host and port), on a port of its own. */
  static async open(upstream: string): Promise<Gate> {
    const gate = new Gate(upstream);
    gate.#server.listen(0, '127.0.0.1');
    await once(gate.#server, 'listening');
    return gate;
  }

  /** `127.0.0.1:port`. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Breaks everything that is under way. */
  closeConnections(): void {
    this.#server.closeAllConnections();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #handle(call: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { method, url = '', headers } = call;
    const forwarded = request(`http://${this.#upstream}${url}`, { method, headers, agent: false });
    call.pipe(forwarded);
    const [response] = (await once(forwarded, 'response')) as [IncomingMessage];
    const digest = /\/blobs\/(sha256:[0-9a-f]{64})$/.exec(url)?.[1];
    answer.writeHead(response.statusCode ?? 502, response.headers);
    if (method !== 'GET' || digest === undefined) {
      response.pipe(answer);
      return;
    }
    const blob = { digest, start: Number(/^bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0) };
    this.requests.push(blob);
    await passOn(response, answer, this.fate(blob));
  }
}

async function passOn(from: Readable, to: ServerResponse, fate: BlobFate | undefined): Promise<void> {
  let left = fate?.after ?? Number.POSITIVE_INFINITY;
  for await (const chunk of from as AsyncIterable<Buffer>) {
    const now = chunk.subarray(0, left);
    const later = chunk.subarray(now.length);
    left -= now.length;
    // Flushed before the connection is cut.
    if (now.length > 0) await new Promise<void>((resolve) => to.write(now, () => resolve()));
    if (fate === undefined || later.length === 0) continue;
    if (fate.rest === 'cut') {
      to.destroy();
      return;
    }
    if (fate.rest !== 'garbled') await fate.rest;
    else later[0] = (later[0] ?? 0) ^ 1;
    to.write(later);
    left = Number.POSITIVE_INFINITY;
  }
  to.end();
}
