import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { runProgram } from '#/cli/program.ts';

/** What a client asked for. */
export interface ApiCall {
  /** Method and path, without the version of the API and the query. */
  readonly call: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** What is answered: JSON with status 200, a stream of JSON, or the message of an error with its status. */
export type ApiAnswer =
  | { readonly json: unknown }
  | { readonly stream: AsyncIterable<unknown> }
  | { readonly status: number; readonly message: string };

/** A daemon that says what a test wants, and a folder for the configuration of the command line that asks it. */
export class FakeApi implements AsyncDisposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'skiff-cli-'));
  readonly calls: ApiCall[] = [];
  readonly #server: Server;
  readonly #leaving = new EventEmitter();

  constructor(answer: (call: ApiCall) => ApiAnswer) {
    this.#server = createServer((request, response) => void this.#serve(request, response, answer));
    this.#server.listen(this.#socket);
  }

  get #socket(): string {
    return join(this.folder, 'socket');
  }

  /** For SKIFF_HOST and DOCKER_HOST. */
  get host(): string {
    return `unix://${this.#socket}`;
  }

  /** The configuration file. */
  get config(): string {
    return join(this.folder, 'config.json');
  }

  /** Runs one command line of skiff; the helpers of credentials are looked for in the folder first. */
  async skiff(
    args: readonly string[],
    { input = '', env = {} }: { input?: string; env?: Readonly<Record<string, string>> } = {},
  ): Promise<{ code: number; stdout: string; stderr: string }> {
    const [stdout, stderr] = [new Recorder(), new Recorder()];
    const stdin = new PassThrough();
    stdin.end(input);
    const world = {
      stdin,
      stdout,
      stderr,
      env: {
        PATH: `${this.folder}:${process.env['PATH']}`,
        SKIFF_HOST: this.host,
        DOCKER_CONFIG: this.folder,
        ...env,
      },
    };
    const code = await runProgram(args, world);
    return { code, stdout: stdout.text, stderr: stderr.text.replaceAll(this.folder, 'FOLDER') };
  }

  /** Settles when the next client leaves before its answer is complete. */
  async hungUp(): Promise<void> {
    await once(this.#leaving, 'left');
  }

  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
    answer: (call: ApiCall) => ApiAnswer,
  ): Promise<void> {
    const url = new URL(request.url ?? '', 'http://fake');
    const call: ApiCall = {
      call: `${request.method} ${url.pathname.replace(/^\/v1\.\d+/, '')}`,
      query: Object.fromEntries(url.searchParams),
      headers: request.headers,
      body: await text(request),
    };
    response.once('close', () => response.writableFinished || this.#leaving.emit('left'));
    this.calls.push(call);
    const said = answer(call);
    response.statusCode = 'status' in said ? said.status : 200;
    response.setHeader('Api-Version', '1.51');
    if ('stream' in said) {
      for await (const item of said.stream) response.write(JSON.stringify(item));
      response.end();
    } else response.end(JSON.stringify('json' in said ? said.json : { message: said.message }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.folder, { recursive: true });
  }
}

/** An output that is no terminal. */
class Recorder {
  readonly isTTY = false;
  readonly columns = 0;
  readonly rows = 0;
  readonly stream: PassThrough = new PassThrough();
  text = '';

  write(more: string): void {
    this.text += more;
  }
}
