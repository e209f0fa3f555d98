import assert from 'node:assert/strict';
import { FrameDecoder } from '#/wire/frames.ts';
import type { Answer, TestDaemon } from './daemon.ts';
import { until } from './until.ts';

/** What a test says of a container; the rest is as Docker has it. */
export interface ContainerWish {
  readonly name?: string;
  readonly image?: string;
  /** A line of shell, or a program with its arguments. */
  readonly cmd?: string | readonly string[];
  /** Fields of the create request. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly host?: Readonly<Record<string, unknown>>;
}

/** The part of inspect that tests look at. */
export interface Inspected {
  readonly Id: string;
  readonly Name: string;
  readonly RestartCount: number;
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly Paused: boolean;
    readonly ExitCode: number;
    readonly Error: string;
    readonly Pid: number;
    readonly OOMKilled: boolean;
    readonly StartedAt: string;
    readonly FinishedAt: string;
  };
  readonly NetworkSettings: {
    readonly Ports: Readonly<Record<string, readonly { HostIp: string; HostPort: string }[] | null>>;
    readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>>;
  };
  readonly Mounts: readonly { readonly Name?: string; readonly Source: string }[];
}

/** What a program in a container has said. */
export interface Said {
  readonly exitCode: number;
  readonly output: string;
}

/** The containers of a daemon, through its API. */
export class TestContainers {
  readonly #daemon: TestDaemon;

  constructor(daemon: TestDaemon) {
    this.#daemon = daemon;
  }

  /** Sends a create request and hands on whatever comes back. */
  tryCreate({
    name,
    image = 'busybox',
    cmd = ['sleep', '1000'],
    config,
    host,
  }: ContainerWish = {}): Promise<Answer> {
    const query = name === undefined ? '' : `?name=${name}`;
    const Cmd = typeof cmd === 'string' ? ['sh', '-c', cmd] : cmd;
    // Killing is quick where waiting for a shell to obey SIGTERM is not.
    const body = { Image: image, Cmd, StopSignal: 'SIGKILL', ...config, HostConfig: host ?? {} };
    return this.#daemon.ask('POST', `/containers/create${query}`, body);
  }

  async create(wish: ContainerWish = {}): Promise<string> {
    const { Id } = valueOf(await this.tryCreate(wish), 201) as { Id: string };
    return Id;
  }

  /** Creates and starts one. */
  async run(wish: ContainerWish = {}): Promise<string> {
    const id = await this.create(wish);
    await this.post(`${id}/start`, 204);
    return id;
  }

  /** `POST /containers/<path>`, which must be answered with this status. */
  async post(path: string, status: number, body?: unknown): Promise<unknown> {
    return valueOf(await this.#daemon.ask('POST', `/containers/${path}`, body), status);
  }

  async remove(id: string): Promise<void> {
    valueOf(await this.#daemon.ask('DELETE', `/containers/${id}?force=1&v=1`), 204);
  }

  async inspect(id: string): Promise<Inspected> {
    return valueOf(await this.#daemon.ask('GET', `/containers/${id}/json`), 200) as Inspected;
  }

  /** Undefined if there is none. */
  async find(id: string): Promise<Inspected | undefined> {
    const answer = await this.#daemon.ask('GET', `/containers/${id}/json`);
    return answer.status === 404 ? undefined : (valueOf(answer, 200) as Inspected);
  }

  /** All ids. */
  async list(): Promise<string[]> {
    const all = valueOf(await this.#daemon.ask('GET', '/containers/json?all=1'), 200) as { Id: string }[];
    return all.map(({ Id }) => Id);
  }

  /** Waits for the end of its run. */
  async exitCode(id: string): Promise<number> {
    const { StatusCode } = (await this.post(`${id}/wait`, 200)) as { StatusCode: number };
    return StatusCode;
  }

  /** Standard output and error so far. */
  async logs(id: string, query: string = ''): Promise<string> {
    const answer = await this.#daemon.ask('GET', `/containers/${id}/logs?stdout=1&stderr=1${query}`);
    assert.equal(answer.status, 200, answer.body.toString());
    return textOf(answer.body);
  }

  /** Waits until its output has this. */
  async says(id: string, text: string): Promise<void> {
    await until(async () => (await this.logs(id)).includes(text), { what: `"${text}" in the logs of ${id}` });
  }

  /** Runs a container to its end. */
  async runToEnd(wish: ContainerWish): Promise<Said> {
    const id = await this.run(wish);
    const exitCode = await this.exitCode(id);
    const output = await this.logs(id);
    await this.remove(id);
    return { exitCode, output };
  }

  /** Runs a line of shell in a running container. */
  async exec(id: string, line: string, more: Readonly<Record<string, unknown>> = {}): Promise<Said> {
    const request = { Cmd: ['sh', '-c', line], AttachStdout: true, AttachStderr: true, ...more };
    const { Id } = (await this.post(`${id}/exec`, 201, request)) as { Id: string };
    const started = await this.#daemon.ask('POST', `/exec/${Id}/start`, { Detach: false, Tty: false });
    assert.equal(started.status, 200, started.body.toString());
    const inspected = valueOf(await this.#daemon.ask('GET', `/exec/${Id}/json`), 200);
    return { exitCode: (inspected as { ExitCode: number }).ExitCode, output: textOf(started.body) };
  }
}

/** What an answer that must have this status says. */
export function valueOf(answer: Answer, status: number): unknown {
  const text = answer.body.toString();
  assert.equal(answer.status, status, text);
  return text === '' ? undefined : JSON.parse(text);
}

function textOf(body: Buffer): string {
  const parts = [...new FrameDecoder().push(body)].map(({ data }) => data);
  return Buffer.concat(parts).toString();
}
