import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { EngineError, internal, invalid, isSystemError } from '#/base/errors.ts';
import type { Proxies } from '#/distribution/proxies.ts';

/** Always this file, whatever PATH says. */
const program = '/usr/bin/git';
/** How much of what git complains about is told. Characters. */
const maxComplaint = 4000;
/** How long git has to remove its temporary files when it is told to end, in milliseconds. */
const graceTime = 5000;

/** One call of git. */
export interface GitCall {
  readonly args: readonly string[];
  readonly signal: AbortSignal;
  /** Further environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** `file` lets this one call read a repository on this machine, which nobody outside has named. */
  readonly protocols?: 'remote' | 'file';
  /** What git says to people while it works. */
  readonly onMessage?: ((text: Buffer) => void) | undefined;
}

/** git has said no. The message has the end of what it said. */
export class GitFailure extends EngineError {
  constructor(command: string, complaint: string) {
    super('unavailable', `git ${command} failed: ${complaint}`);
  }
}

/**
 * Runs git as nobody in particular: without configuration of the machine or of a user, hooks, helpers for passwords, prompts, and
 * with protocols that lead elsewhere only. Whatever a repository contains, nothing of it is run.
 */
export class Git {
  readonly #env: Readonly<Record<string, string>>;

  constructor({ proxies, env = {} }: { proxies: Proxies; env?: Readonly<Record<string, string>> }) {
    this.#env = { ...fixedEnvironment, ...proxyEnvironment(proxies), ...env };
  }

  /** What git writes. Throws GitFailure, `internal` beyond `maxBytes`, and the signal's reason; git and its children are gone then. */
  async output(call: GitCall & { maxBytes?: number }): Promise<Buffer> {
    const maxBytes = call.maxBytes ?? 64 * 1024;
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of this.stream(call)) {
      size += chunk.length;
      if (size > maxBytes) throw internal(`git ${nameOf(call)} writes more than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  /** As `output`, piece by piece. git ends when nobody reads on. */
  async *stream(call: GitCall): AsyncGenerator<Uint8Array, void, undefined> {
    const { args, signal, protocols = 'remote' } = call;
    signal.throwIfAborted();
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...this.#env,
        ...call.env,
        GIT_ALLOW_PROTOCOL: protocols === 'file' ? 'file' : 'https:http:git:ssh',
      },
      cwd: '/',
      // The helpers that it starts for a protocol end with it.
      detached: true,
    });
    const ended = endOf(child);
    let complaint = '';
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(-maxComplaint);
      call.onMessage?.(chunk);
    });
    const abort = (): void => endGroup(child);
    signal.addEventListener('abort', abort, { once: true });
    let finished = false;
    try {
      yield* child.stdout as AsyncIterable<Uint8Array>;
      const status = await ended;
      finished = true;
      signal.throwIfAborted();
      if (status !== 0) throw new GitFailure(nameOf(call), lastLines(complaint) || `it ended with ${status}`);
    } catch (error) {
      signal.throwIfAborted();
      if (!isSystemError(error, 'ENOENT') || error.path !== program) throw error;
      throw invalid(`git repositories need "${program}"; install the package git`, error);
    } finally {
      signal.removeEventListener('abort', abort);
      if (!finished) {
        endGroup(child);
        // Whoever removes the repository afterwards must not meet it at work.
        await ended.catch(() => {});
      }
    }
  }
}

/** The command, without its arguments. */
function nameOf({ args }: GitCall): string {
  return args.find((arg) => /^[a-z][a-z-]+$/.test(arg)) ?? '';
}

/** Ends git and the processes that it has started. */
function endGroup(child: ChildProcessByStdio<null, Readable, Readable>): void {
  const { pid } = child;
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  signalGroup(pid, 'SIGTERM');
  child.stdout.destroy();
  const timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), graceTime);
  child.once('exit', () => {
    clearTimeout(timer);
    // What it leaves behind has no work any more.
    signalGroup(pid, 'SIGKILL');
  });
}

function signalGroup(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(-pid, name);
  } catch (error) {
    if (!isSystemError(error, 'ESRCH')) throw error;
  }
}

function endOf(child: ChildProcessByStdio<Writable | null, Readable, Readable>): Promise<number | string> {
  const { promise, resolve, reject } = Promise.withResolvers<number | string>();
  child.once('error', reject);
  child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown end'));
  promise.catch(() => {});
  return promise;
}

/** Of what git says, what tells the failure: the lines after progress, joined. */
function lastLines(complaint: string): string {
  const lines = complaint.split(/[\r\n]+/).filter((line) => line.trim() !== '');
  const telling = lines.filter((line) => /^(?:fatal|error|remote|ssh|Permission|Host key)/.test(line));
  return (telling.length > 0 ? telling : lines).slice(-4).join('; ').slice(0, 600);
}

/** What old or odd programs have written into commits (git-fsck(1)), without harm. */
const untidy =
  'badDate badDateOverflow badEmail badName badTimezone missingEmail missingNameBeforeEmail missingSpaceBeforeDate ' +
  'missingSpaceBeforeEmail multipleAuthors zeroPaddedDate zeroPaddedFilemode badTagName missingTaggerEntry nulInCommit';

/** git-config(1): what would otherwise come from files. */
const settings: readonly (readonly [string, string])[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.askPass', ''],
  ['credential.helper', ''],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  ['submodule.recurse', 'false'],
  ['fetch.recurseSubmodules', 'false'],
  ['advice.detachedHead', 'false'],
  ['tar.umask', '0022'],
  ['http.lowSpeedLimit', '1'],
  ['http.lowSpeedTime', '60'],
  ['init.defaultBranch', 'master'],
  // Trees with names like ".git" or "..", twice the same name, or harmful submodules come no further than the fetch.
  ['fetch.fsckObjects', 'true'],
  ...untidy.split(' ').map((kind) => [`fetch.fsck.${kind}`, 'ignore'] as const),
];

/** git(1), "Environment Variables". PATH only finds git's own parts. */
const fixedEnvironment: Readonly<Record<string, string>> = {
  LC_ALL: 'C',
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/dev/null',
  XDG_CONFIG_HOME: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_ASKPASS: '/bin/false',
  SSH_ASKPASS: '/bin/false',
  GIT_PROTOCOL_FROM_USER: '0',
  GIT_TEMPLATE_DIR: '',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_LITERAL_PATHSPECS: '1',
  ...configuration(settings),
};

/** Settings for one call, in the environment: others can see arguments. They come after those of every call. */
export function extraConfiguration(extra: readonly (readonly [string, string])[]): Record<string, string> {
  return configuration([...settings, ...extra]);
}

function configuration(entries: readonly (readonly [string, string])[]): Record<string, string> {
  const env: Record<string, string> = { GIT_CONFIG_COUNT: String(entries.length) };
  for (const [index, [key, value]] of entries.entries()) {
    env[`GIT_CONFIG_KEY_${index}`] = key;
    env[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  return env;
}

function proxyEnvironment({ http, https, no }: Proxies): Record<string, string> {
  return {
    ...(http !== '' && { http_proxy: http }),
    ...(https !== '' && { https_proxy: https }),
    ...(no !== '' && { no_proxy: no }),
  };
}
