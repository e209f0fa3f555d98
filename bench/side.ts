import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** One of the two daemons that are compared. */
export interface Side {
  readonly name: 'subject' | 'peer';
  /** Path of its socket. */
  readonly socket: string;
  /** Its process, where memory is to be measured. */
  readonly pid: number | undefined;
}

/** What a finished command took. */
export interface Finished {
  readonly milliseconds: number;
  readonly bytes: number;
  readonly stdout: string;
}

/** Of standard output only the beginning is kept, of complaints the end. Characters. */
const kept = 4096;

/** Runs a program against a side and waits for it; throws if it fails. `readerPause`: reads nothing for so many milliseconds. */
export function command(
  side: Side,
  argv: readonly string[],
  { readerPause = 0 }: { readonly readerPause?: number } = {},
): Promise<Finished> {
  const [program = '', ...args] = argv;
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: { ...process.env, DOCKER_HOST: `unix://${side.socket}`, SKIFF_HOST: `unix://${side.socket}` },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 300_000,
    });
    let bytes = 0;
    let stdout = '';
    let stderr = '';
    const read = (): void => {
      child.stdout.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (stdout.length < kept) stdout += chunk.toString('latin1', 0, kept);
      });
    };
    if (readerPause > 0) setTimeout(read, readerPause);
    else read();
    child.stderr.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString()).slice(-kept);
    });
    child.on('error', reject);
    child.on('close', (code) => {
      const milliseconds = performance.now() - began;
      if (code === 0) resolve({ milliseconds, bytes, stdout: stdout.trim() });
      else reject(new Error(`${side.name}: ${argv.join(' ')} ended with ${code}: ${stderr.trim()}`));
    });
  });
}

/** Runs the docker command line against a side. */
export function docker(side: Side, ...args: readonly string[]): Promise<Finished> {
  return command(side, ['docker', ...args]);
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/**
 * Kilobytes (PSS) of all processes in the daemon's network namespace: the daemon and its helpers, but not the
 * containers, which have namespaces of their own.
 */
export function engineMemory(pid: number): number {
  const namespace = readlinkSync(`/proc/${pid}/ns/net`);
  let total = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (readlinkSync(`/proc/${name}/ns/net`) === namespace && isEngine(name)) total += pssOf(name);
    } catch {
      // It has ended meanwhile, or is a kernel thread.
    }
  }
  return total;
}

/** Kilobytes of resident memory of one process. */
export function residentMemory(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}

/** Watches a process from now on; the result ends that and tells by how many kilobytes it was larger at its largest. */
export function daemonGrowth(pid: number): () => number {
  const before = residentMemory(pid);
  let most = before;
  const sample = (): void => {
    most = Math.max(most, residentMemory(pid));
  };
  const timer = setInterval(sample, 50);
  return () => {
    clearInterval(timer);
    sample();
    return most - before;
  };
}

function isEngine(pid: string): boolean {
  const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ');
  return /dockerd|containerd|docker-proxy|conmon|skiffd|daemon\/main/.test(line);
}

function pssOf(pid: string): number {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
}
