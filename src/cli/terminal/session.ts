import type { Duplex } from 'node:stream';
import { isSystemError } from '#/base/errors.ts';
import type { Hijacked } from '#/client/client.ts';
import type { Output, TerminalInput } from '../command.ts';
import { copyBytes, copyFrames, writeAll } from '../streams.ts';
import { DetachFilter, parseDetachKeys } from './detach-keys.ts';
import { rawMode } from './raw-mode.ts';

/** What is connected to a container. Absent streams are not. */
export interface SessionStreams {
  readonly stdin?: TerminalInput | undefined;
  readonly stdout?: Output | undefined;
  readonly stderr?: Output | undefined;
  /** The container has a terminal: bytes come unframed, ours becomes raw. */
  readonly tty: boolean;
  readonly detachKeys: string;
}

/** How a session ended. */
export type SessionEnd = 'ended' | 'detached';

/** A connection between our streams and a container's. */
export class Session implements Disposable {
  readonly #socket: Duplex;
  readonly #early: Buffer;
  readonly #streams: SessionStreams;
  #raw: Disposable | undefined;

  constructor({ socket, early }: Hijacked, streams: SessionStreams) {
    this.#socket = socket;
    this.#early = early;
    this.#streams = streams;
    // Failed writes show themselves as the end of the output; without a listener they would end the process.
    socket.on('error', () => undefined);
  }

  /** Puts the terminal back and hangs up. */
  [Symbol.dispose](): void {
    this.#leaveRaw();
    this.#socket.destroy();
  }

  /** Carries data both ways until the container's output ends or the detach keys are typed. */
  async run(): Promise<SessionEnd> {
    const { stdin, stdout, stderr, tty } = this.#streams;
    if (stdin !== undefined && tty) this.#raw = rawMode(stdin);
    const input = stdin === undefined ? this.#closeInput() : this.#copyInput(stdin);
    const hasOutput = stdout !== undefined || stderr !== undefined;
    const output = hasOutput ? this.#copyOutput() : new Promise<never>(() => undefined);
    const end = await Promise.race([
      output,
      input.then((how) => (how === 'detached' || !hasOutput ? how : output)),
    ]);
    this.#leaveRaw();
    return end;
  }

  #leaveRaw(): void {
    this.#raw?.[Symbol.dispose]();
    this.#raw = undefined;
  }

  async #closeInput(): Promise<SessionEnd> {
    this.#socket.end();
    return 'ended';
  }

  async #copyInput(stdin: TerminalInput): Promise<SessionEnd> {
    const filter = this.#streams.tty
      ? new DetachFilter(parseDetachKeys(this.#streams.detachKeys))
      : undefined;
    for await (const chunk of stdin) {
      const { data, detached } = filter?.push(chunk as Buffer) ?? { data: chunk as Buffer, detached: false };
      if (this.#socket.destroyed) return 'ended';
      if (data.length > 0) await writeAll(this.#socket, data);
      if (detached) return 'detached';
    }
    this.#socket.end();
    return 'ended';
  }

  async #copyOutput(): Promise<SessionEnd> {
    const { stdout, stderr, tty } = this.#streams;
    try {
      if (tty && stdout !== undefined) await copyBytes(this.#received(), stdout.stream);
      else await copyFrames(this.#received(), { stdout: stdout?.stream, stderr: stderr?.stream });
    } catch (error) {
      // The daemon hangs up when the container ends, whether or not all of its input was read.
      if (!isSystemError(error, 'ECONNRESET', 'EPIPE')) throw error;
    }
    return 'ended';
  }

  async *#received(): AsyncGenerator<Buffer, void, undefined> {
    if (this.#early.length > 0) yield this.#early;
    for await (const chunk of this.#socket) yield chunk as Buffer;
  }
}

/** Refuses to connect a terminal of the container to an input that is none. Throws an Error in docker's words. */
export function checkTerminal(
  stdin: () => TerminalInput,
  { attachStdin, tty }: { attachStdin: boolean; tty: boolean },
): void {
  if (attachStdin && tty && stdin().isTTY !== true) throw new Error('the input device is not a TTY');
}
