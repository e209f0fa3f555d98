import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Backend } from '#/api/backend.ts';
import type { Route } from '#/api/call.ts';
import { ApiServer } from '#/api/server.ts';
import { silentLogger } from '#/base/log.ts';

/** An answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What a test sends. */
export interface AskOptions {
  /** An object goes as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Called when the status and headers of the answer have come. */
  readonly onHeaders?: () => void;
  /** Another socket than the server's. */
  readonly socketPath?: string;
}

/** A server on a Unix socket of its own, and ways to talk to it. */
export interface TestServer extends AsyncDisposable {
  readonly api: ApiServer;
  readonly path: string;
  ask(method: string, url: string, options?: AskOptions): Promise<Answer>;
  /** A connection on which `head` was sent. */
  raw(head: string): Promise<Socket>;
}

/** Serves `routes` with `engine` until it is disposed of. */
export async function serve(routes: readonly Route[], engine: Backend): Promise<TestServer> {
  const dir = mkdtempSync(join(tmpdir(), 'skiff-api-'));
  const path = join(dir, 'api.sock');
  const api = new ApiServer({ routes, engine, log: silentLogger(), product: 'Skiff/test (linux)' });
  const door = api.door();
  door.listen(path);
  await once(door, 'listening');
  return {
    api,
    path,
    ask: (method, url, options) => ask({ socketPath: path, ...options, method, path: url }),
    raw: async (head) => {
      const socket = connect(path);
      await once(socket, 'connect');
      socket.write(head);
      return socket;
    },
    [Symbol.asyncDispose]: async () => {
      await api.close(0);
      rmSync(dir, { recursive: true });
    },
  };
}

async function ask({
  body,
  headers,
  onHeaders,
  ...options
}: AskOptions & { method: string; path: string }): Promise<Answer> {
  // Kept alive, because a server that closes at once may cut off its own answer to a body that it did not read.
  using agent = disposableAgent();
  const isText = typeof body === 'string';
  const sent = request({
    agent,
    ...options,
    headers: {
      ...(body === undefined || isText ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    },
  });
  sent.end(body === undefined || isText ? body : JSON.stringify(body));
  const [response] = await once(sent, 'response');
  onHeaders?.();
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

/** Reads from a socket until `done` says that what has come is enough, or the end. */
export async function readUntil(socket: Socket, done: (received: string) => boolean): Promise<string> {
  let received = '';
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    received += chunk.toString('latin1');
    if (done(received)) break;
  }
  return received;
}

function disposableAgent(): Agent & Disposable {
  const agent = new Agent({ keepAlive: true });
  return Object.assign(agent, { [Symbol.dispose]: () => agent.destroy() });
}
