import { request } from 'node:http';
import type { TestDaemon } from './daemon.ts';
import { tarOf } from './images.ts';
import { until } from './until.ts';

/** A build through `POST /build` that is being listened to. */
export interface RunningBuild {
  /** All that was said until now: `stream` texts, errors as `ERROR …`. */
  readonly said: string;
  /** Resolves when the connection has ended, however. */
  readonly ended: Promise<void>;
  /** Waits until something was said. */
  says(text: string): Promise<void>;
  /** Hangs up. */
  leave(): void;
}

/** Begins to build a context of these files. */
export async function startBuild(
  daemon: TestDaemon,
  files: Readonly<Record<string, string>>,
  query: string = '',
): Promise<RunningBuild> {
  const body = await tarOf(files);
  const build = new BuildClient(daemon, { body, query });
  return build;
}

/** Builds to the end; returns what was said. */
export async function buildToEnd(
  daemon: TestDaemon,
  files: Readonly<Record<string, string>>,
  query: string = '',
): Promise<string> {
  const build = await startBuild(daemon, files, query);
  await build.ended;
  return build.said;
}

class BuildClient implements RunningBuild {
  said = '';
  readonly ended: Promise<void>;
  readonly leave: () => void;
  #rest = '';

  constructor(daemon: TestDaemon, { body, query }: { body: Buffer; query: string }) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    const call = request(
      {
        socketPath: daemon.socket,
        method: 'POST',
        path: `/v1.43/build?${query}`,
        agent: false,
        headers: { 'Content-Type': 'application/x-tar' },
      },
      (response) => {
        response.setEncoding('utf8');
        response.on('data', (text: string) => this.#take(text));
        response.on('close', () => resolve());
      },
    );
    call.on('error', () => resolve());
    call.end(body);
    this.leave = () => call.destroy();
  }

  async says(text: string): Promise<void> {
    let over = false;
    void this.ended.then(() => {
      over = true;
    });
    await until(() => over || this.said.includes(text), { what: `the build says ${JSON.stringify(text)}` });
    if (!this.said.includes(text)) throw new Error(`the build only said ${JSON.stringify(this.said)}`);
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.trim() === '') continue;
      const { stream, error, message } = JSON.parse(line) as {
        stream?: string;
        error?: string;
        message?: string;
      };
      this.said += stream ?? (error === undefined ? (message ?? '') : `ERROR ${error}`);
    }
  }
}
