import './own-network.ts';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mount, unmount } from '#/kernel/mount.ts';

const root = join(import.meta.dirname, '..', '..');

/** The program. */
export const skiffd: string = join(root, 'bin/skiffd');

/** An answer of the API. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Buffer;
}

/** A real skiffd on folders of its own. */
export class TestDaemon implements AsyncDisposable {
  readonly dir: string;
  readonly socket: string;
  readonly #args: readonly string[];
  #process: ChildProcess | undefined;
  #log = '';
  #ownData = false;

  private constructor(args: readonly string[]) {
    this.dir = mkdtempSync(join(tmpdir(), 'skd-'));
    this.socket = join(this.dir, 's.sock');
    this.#args = args;
  }

  /**
   * Starts one with further flags; its data is in `dir`/data unless they say otherwise. With `dataSize` that is a file
   * system of its own, of so many bytes.
   */
  static async start(
    args: readonly string[] = [],
    { dataSize }: { dataSize?: number } = {},
  ): Promise<TestDaemon> {
    const daemon = new TestDaemon(args);
    mkdirSync(join(daemon.dir, 'run'));
    if (dataSize !== undefined) daemon.#mountData(dataSize);
    writeFileSync(daemon.configFile, '{}');
    await daemon.up();
    return daemon;
  }

  /** For `DOCKER_HOST`. */
  get host(): string {
    return `unix://${this.socket}`;
  }

  get configFile(): string {
    return join(this.dir, 'daemon.json');
  }

  /** Its containers' control groups are below this one, which no other daemon uses. */
  get cgroupParent(): string {
    return `/skiff-${basename(this.dir)}`;
  }

  /** What tells `skiffd` where this one lives. */
  get places(): readonly string[] {
    return [
      `--data-root=${join(this.dir, 'data')}`,
      `--exec-root=${join(this.dir, 'run')}`,
      `--pidfile=${join(this.dir, 'pid')}`,
      `--config-file=${this.configFile}`,
      `--cgroup-parent=${this.cgroupParent}`,
    ];
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** What it has logged since it was started first. */
  get log(): string {
    return this.#log;
  }

  /** Starts the process and waits until it answers. */
  async up(): Promise<void> {
    const args = ['-H', this.host, ...this.places, ...this.#args];
    const child = spawn(skiffd, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#log = (this.#log + text).slice(-1_000_000);
      });
    }
    for (let attempt = 0; attempt < 600; attempt += 1) {
      if (child.exitCode !== null) throw new Error(`skiffd ended with ${child.exitCode}:\n${this.#log}`);
      try {
        if ((await this.ask('GET', '/_ping')).status === 200) return;
      } catch {
        // Not listening yet.
      }
      await sleep(50);
    }
    throw new Error(`skiffd does not answer:\n${this.#log}`);
  }

  /** Ends the process with a signal and waits for it. */
  async down(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  /** One request; `body` is sent as JSON unless it is bytes. */
  ask(method: string, path: string, body?: unknown): Promise<Answer> {
    const bytes = body === undefined || body instanceof Uint8Array ? body : JSON.stringify(body);
    const type = body instanceof Uint8Array ? 'application/x-tar' : 'application/json';
    return new Promise((resolve, reject) => {
      const call = request(
        {
          socketPath: this.socket,
          method,
          path,
          agent: false,
          headers: bytes === undefined ? {} : { 'Content-Type': type },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: Buffer.concat(chunks),
            }),
          );
        },
      );
      call.on('error', (error) => reject(this.#explained(error)));
      call.end(bytes);
    });
  }

  /** As `ask`, for an answer in JSON. */
  async json(method: string, path: string, body?: unknown): Promise<{ status: number; value: unknown }> {
    const answer = await this.ask(method, path, body);
    const text = answer.body.toString();
    return { status: answer.status, value: text === '' ? undefined : JSON.parse(text) };
  }

  /** Loads the busybox image that the tests use, as `busybox:latest`. */
  async loadBusybox(): Promise<void> {
    const path = `/images/create?fromSrc=-&repo=busybox&tag=latest&changes=${encodeURIComponent('CMD ["sh"]')}`;
    const answer = await this.ask('POST', path, readFileSync(await busyboxArchive()));
    const text = answer.body.toString();
    if (answer.status !== 200 || text.includes('"error"')) throw new Error(`cannot import busybox: ${text}`);
  }

  /** Ends what a daemon of these folders has left running. */
  async tearDown(): Promise<void> {
    const { code, stderr } = await run(skiffd, [...this.places, ...this.#args, '--teardown']);
    if (code !== 0) throw new Error(`skiffd --teardown failed: ${stderr}\nearlier:\n${this.#log}`);
  }

  /** Ends the daemon, its containers and its folders. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
    await this.tearDown();
    if (this.#ownData) unmount(join(this.dir, 'data'), { detach: true });
    rmSync(this.dir, { recursive: true });
  }

  /** A connection breaks off when the daemon dies: then its last words say more. */
  #explained(error: Error): Error {
    const child = this.#process;
    if (child === undefined || (child.exitCode ?? child.signalCode) === null) return error;
    return new Error(`skiffd ended with ${child.exitCode ?? child.signalCode}:\n${this.#log.slice(-5_000)}`, {
      cause: error,
    });
  }

  #mountData(size: number): void {
    const path = join(this.dir, 'data');
    mkdirSync(path);
    mount({ type: 'tmpfs', source: 'data', options: [`size=${size}`] }, path);
    this.#ownData = true;
  }
}

/** What a command did. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end, at most two minutes. */
export function run(
  command: string,
  args: readonly string[],
  { env = {}, input = '' }: { env?: Readonly<Record<string, string>>; input?: string } = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, ...env }, timeout: 120_000 });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

/** A tar archive of busybox's root file system, made once for each test process. */
async function busyboxArchive(): Promise<string> {
  archive ??= makeArchive();
  return archive;
}

let archive: Promise<string> | undefined;

async function makeArchive(): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'skiff-images-'));
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  const { code, stderr } = await run(join(root, 'scripts/make-images'), [dir, 'busybox']);
  if (code !== 0) throw new Error(`cannot make the busybox image: ${stderr}`);
  return join(dir, 'busybox.tar');
}
