import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { ProgressMessage } from '#/wire/json-stream.ts';
import type { TestDaemon } from './daemon.ts';
import { until } from './until.ts';

/** A client that pulls by the API, and may leave before the end. */
export class PullClient {
  /** What the daemon has said until now. */
  readonly messages: ProgressMessage[] = [];
  /** Resolves when the answer has ended, or the connection is gone. */
  readonly ended: Promise<void>;
  readonly #call: ClientRequest;
  #rest = '';

  private constructor(call: ClientRequest) {
    this.#call = call;
    this.ended = new Promise((resolve) => {
      call.once('response', (response: IncomingMessage) => {
        response.setEncoding('utf8').on('data', (text: string) => this.#take(text));
        response.once('close', resolve).on('error', () => {});
      });
      call.once('error', () => resolve()).once('close', resolve);
    });
  }

  /** Asks for a name with a tag. */
  static begin(daemon: TestDaemon, name: string): PullClient {
    const path = `/images/create?fromImage=${encodeURIComponent(name)}`;
    const call = request({ socketPath: daemon.socket, method: 'POST', path, agent: false });
    call.end();
    return new PullClient(call);
  }

  /** The failure that was told in the stream. */
  get error(): string | undefined {
    return this.messages.find(({ error }) => error !== undefined)?.error;
  }

  /** Waits for a status, of whichever layer. */
  async says(status: string): Promise<void> {
    await until(() => this.messages.some((message) => message.status === status), { what: `"${status}"` });
  }

  /** Leaves. */
  hangUp(): void {
    this.#call.destroy();
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\r\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.messages.push(JSON.parse(line) as ProgressMessage);
  }
}

/** Pulls to the end; what went wrong, undefined if nothing did. */
export async function pullError(daemon: TestDaemon, name: string): Promise<string | undefined> {
  const path = `/images/create?fromImage=${encodeURIComponent(name)}`;
  const { status, body } = await daemon.ask('POST', path);
  const text = body.toString();
  if (status !== 200) return (JSON.parse(text) as { message: string }).message;
  const last = JSON.parse(text.trimEnd().split('\r\n').at(-1) ?? '') as ProgressMessage;
  return last.error;
}
