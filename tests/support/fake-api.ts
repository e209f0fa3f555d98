import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
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

/** What is answered: JSON with status 200 or, as a text, the message of an error with its status. */
export type ApiAnswer = { readonly json: unknown } | { readonly status: number; readonly message: string };

/** A daemon that says what a test wants, and a folder for the configuration of the command line that asks it. */
export class FakeApi implements AsyncDisposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'skiff-cli-'));
  readonly calls: ApiCall[] = [];
  readonly #server: Server;

  constructor(answer: (call: ApiCall) => ApiAnswer) {
    this.#server = createServer((request, response) => {
      void text(request).then((body) => {
        const url = new URL(request.url ?? '', 'http://fake');
        const call: ApiCall = {
          call: `${request.method} ${url.pathname.replace(/^\/v1\.\d+/, '')}`,
          query: Object.fromEntries(url.searchParams),
          headers: request.headers,
          body,
        };
        this.calls.push(call);
        const said = answer(call);
        response.statusCode = 'json' in said ? 200 : said.status;
        response.setHeader('Api-Version', '1.51');
        response.end(JSON.stringify('json' in said ? said.json : { message: said.message }));
      });
    });
    this.#server.listen(this.#socket);
  }

  get #socket(): string {
    return join(this.folder, 'socket');
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
        SKIFF_HOST: `unix://${this.#socket}`,
        DOCKER_CONFIG: this.folder,
        ...env,
      },
    };
    const code = await runProgram(args, world);
    return { code, stdout: stdout.text, stderr: stderr.text.replaceAll(this.folder, 'FOLDER') };
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
