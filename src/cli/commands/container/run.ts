import { messageOf } from '#/base/errors.ts';
import type { Client } from '#/client/client.ts';
import { attachContainer, resizeContainer, startContainer, waitContainer } from '#/client/containers.ts';
import type { ContainerWaitResponse } from '#/wire/containers.ts';
import { type Command, type Context, defineCommand, ExitError } from '../../command.ts';
import { containerFlags } from '../../container-options/flags.ts';
import type { FullCreateRequest } from '../../container-options/request.ts';
import { createFromFlags, PullFailure, requestFromFlags } from '../../create.ts';
import { boolFlag, stringFlag } from '../../flags/flag.ts';
import { followSize } from '../../terminal/resize.ts';
import { checkTerminal, Session } from '../../terminal/session.ts';
import { forwardSignals } from '../../terminal/signals.ts';
import { exitCodeOf } from '../../wait-result.ts';

const failed = 125;
const notExecutable = 126;
const notFound = 127;

export const command: Command = defineCommand({
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  arity: { min: 1 },
  interspersed: false,
  flags: {
    ...containerFlags,
    detach: boolFlag('Do not wait for it, print its identifier', { short: 'd' }),
    'detach-keys': stringFlag('Keys that leave it running, e.g. "ctrl-p,ctrl-q"'),
    'sig-proxy': boolFlag('Pass signals on to the process', { initial: true }),
  },
  async run(ctx, input) {
    const { flags } = input;
    const wanted = orExit(() => requestFromFlags(ctx, input));
    if (flags.detach && flags.attach.length > 0) {
      throw new Error('conflicting options: cannot specify both --attach and --detach');
    }
    const request = flags.detach ? detached(wanted) : wanted;
    if (!flags.detach) checkTerminal(() => ctx.stdin, { attachStdin: request.AttachStdin, tty: request.Tty });
    const detachKeys = flags['detach-keys'] || ctx.config.values.detachKeys;
    const id = await createFromFlags(ctx, flags, request).catch((error: unknown) => {
      throw runError(error);
    });
    using _signals = flags['sig-proxy'] ? forwardSignals(ctx, id) : undefined;
    const run = new Run(ctx, { id, request, detachKeys, remove: flags.rm });
    const attaches = request.AttachStdin || request.AttachStdout || request.AttachStderr;
    return await (attaches ? run.attached() : run.detached());
  },
});

function detached(request: FullCreateRequest): FullCreateRequest {
  return { ...request, AttachStdin: false, AttachStdout: false, AttachStderr: false, StdinOnce: false };
}

/** One container from its start to its end, or ours. */
class Run {
  readonly #ctx: Context;
  readonly #client: Client;
  readonly #id: string;
  readonly #request: FullCreateRequest;
  readonly #detachKeys: string;
  readonly #remove: boolean;

  constructor(
    ctx: Context,
    options: { id: string; request: FullCreateRequest; detachKeys: string; remove: boolean },
  ) {
    this.#ctx = ctx;
    this.#client = ctx.client;
    this.#id = options.id;
    this.#request = options.request;
    this.#detachKeys = options.detachKeys;
    this.#remove = options.remove;
  }

  async detached(): Promise<number> {
    this.#ctx.stdout.write(`${this.#id}\n`);
    await this.#start(this.#remove ? (await this.#wait()).result : undefined);
    return 0;
  }

  async attached(): Promise<number> {
    const { stdout } = this.#ctx;
    const { Tty, AttachStdout, AttachStderr } = this.#request;
    using session = await this.#attach();
    const { result } = await this.#wait();
    const running = session.run();
    running.catch(() => undefined);
    await this.#start(result);
    using _size =
      Tty && stdout.isTTY
        ? followSize(stdout, (size) => resizeContainer(this.#client, this.#id, size))
        : undefined;
    // Without output to wait for, the end of the container is the end of the session.
    const first = await (AttachStdout || AttachStderr ? running : Promise.race([running, result]));
    return first === 'detached' ? 0 : exitCodeOf(await result);
  }

  async #attach(): Promise<Session> {
    const { stdin, stdout, stderr } = this.#streams();
    const connection = await attachContainer(this.#client, this.#id, {
      stream: true,
      stdin: stdin !== undefined,
      stdout: stdout !== undefined,
      stderr: stderr !== undefined,
      detachKeys: this.#detachKeys,
    });
    return new Session(connection, {
      stdin,
      stdout,
      stderr,
      tty: this.#request.Tty,
      detachKeys: this.#detachKeys,
    });
  }

  #streams() {
    const { AttachStdin, AttachStdout, AttachStderr } = this.#request;
    return {
      stdin: AttachStdin ? this.#ctx.stdin : undefined,
      stdout: AttachStdout ? this.#ctx.stdout : undefined,
      stderr: AttachStderr ? this.#ctx.stderr : undefined,
    };
  }

  async #wait(): ReturnType<typeof waitContainer> {
    const waiting = await waitContainer(this.#client, this.#id, this.#remove ? 'removed' : 'next-exit');
    // If the start fails, that is what to tell.
    waiting.result.catch(() => undefined);
    return waiting;
  }

  async #start(removed: Promise<ContainerWaitResponse> | undefined): Promise<void> {
    try {
      await startContainer(this.#client, this.#id);
    } catch (error) {
      // The daemon removes what could not start; the next command should find it gone.
      if (this.#remove) await removed;
      throw runError(error);
    }
  }
}

function orExit<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new ExitError(failed, withHelp(error), { cause: error });
  }
}

const withHelp = (error: unknown): string =>
  `skiff: ${messageOf(error)}\n\nRun 'skiff run --help' for more information`;

/** Why a container could not start decides the exit code, as with a shell: not found, not executable, anything else. */
function runError(error: unknown): ExitError {
  const message = messageOf(error);
  const missing = [
    'executable file not found',
    'no such file or directory',
    'system cannot find the file specified',
  ];
  const refused = ['permission denied', 'is a directory'];
  const says = (texts: readonly string[]): boolean =>
    // What a registry or a credential helper says is not about the command.
    !(error instanceof PullFailure) && texts.some((text) => message.includes(text));
  const code = says(missing) ? notFound : says(refused) ? notExecutable : failed;
  return new ExitError(code, withHelp(error), { cause: error });
}
