import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');

/** A registry server that is measured. */
export interface RegistrySide extends AsyncDisposable {
  readonly name: 'subject' | 'peer';
  readonly url: string;
  /** Milliseconds of processor time that it has taken: other work on the machine changes it little. */
  cpuTime(): number;
  /** Its greatest memory so far, in bytes of resident set. */
  peakMemory(): number;
}

/** Starts skiff-registry, with its content in `folder`. */
export function startSubject(folder: string, port: number): Promise<RegistrySide> {
  const config = join(folder, 'subject.json');
  const listen = [`127.0.0.1:${port}`];
  writeFileSync(
    config,
    JSON.stringify({ listen, data: join(folder, 'subject'), log: { level: 'error', requests: false } }),
  );
  return start('subject', port, [join(root, 'bin/skiff-registry'), '--config', config]);
}

/** Starts Debian's docker-registry, with its content in `folder`. */
export function startPeer(folder: string, port: number): Promise<RegistrySide> {
  const data = join(folder, 'peer');
  mkdirSync(data);
  const config = join(folder, 'peer.yml');
  writeFileSync(
    config,
    `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage:
  cache: {blobdescriptor: inmemory}
  filesystem: {rootdirectory: ${data}}
  delete: {enabled: true}
http: {addr: "127.0.0.1:${port}"}
`,
  );
  return start('peer', port, ['docker-registry', 'serve', config]);
}

async function start(
  name: RegistrySide['name'],
  port: number,
  argv: readonly string[],
): Promise<RegistrySide> {
  const [program = '', ...args] = argv;
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries += 1) {
    const isUp = await fetch(`${url}/v2/`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isUp) break;
    if (tries > 100 || child.exitCode !== null) throw new Error(`${name} does not serve`);
    await delay(100);
  }
  return {
    name,
    url,
    cpuTime: () => cpuOf(child),
    peakMemory: () => peakOf(child),
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function cpuOf({ pid = 0 }: ChildProcess): number {
  // Behind the name, which may have spaces: utime and stime are fields 14 and 15, in hundredths of a second (proc(5)).
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function peakOf({ pid = 0 }: ChildProcess): number {
  const line = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1] ?? 0) * 1024;
}

/** Pushes a file as a blob with POST and PUT; returns the seconds that the PUT took. */
export async function putBlob({ url }: RegistrySide, file: string, digest: string): Promise<number> {
  const begun = await fetch(`${url}/v2/bench/blobs/uploads/`, { method: 'POST' });
  const location = new URL(begun.headers.get('location') ?? '', url);
  location.searchParams.set('digest', digest);
  const octets = ['-H', 'Content-Type: application/octet-stream', '-H', 'Expect:'];
  return curl(['-X', 'PUT', ...octets, '-T', file, location.href], 201);
}

/** Pulls a blob to nowhere; returns the seconds that it took. */
export function getBlob({ url }: RegistrySide, digest: string): Promise<number> {
  return curl([`${url}/v2/bench/blobs/${digest}`], 200);
}

/** Deletes a blob, so that the next push does not find it. */
export async function deleteBlob({ url }: RegistrySide, digest: string): Promise<void> {
  await fetch(`${url}/v2/bench/blobs/${digest}`, { method: 'DELETE' });
}

async function curl(args: readonly string[], status: number): Promise<number> {
  const format = '%{http_code} %{time_total}';
  const { stdout } = await run('curl', ['-sS', '-o', '/dev/null', '-w', format, ...args], {
    timeout: 300_000,
  });
  const [code, seconds] = stdout.split(' ').map(Number);
  if (code !== status) throw new Error(`curl ${args.join(' ')}: status ${code} instead of ${status}`);
  return seconds ?? 0;
}

/** Pushes a small image as `bench:latest`. */
export async function pushSmallImage({ url }: RegistrySide): Promise<void> {
  const config = Buffer.from('{"architecture":"amd64","os":"linux"}');
  const digest = `sha256:${createHash('sha256').update(config).digest('hex')}`;
  const begun = await fetch(`${url}/v2/bench/blobs/uploads/`, { method: 'POST' });
  const location = new URL(begun.headers.get('location') ?? '', url);
  location.searchParams.set('digest', digest);
  await fetch(location, { method: 'PUT', body: config });
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const layers = Array.from({ length: 8 }, () => ({
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    digest,
    size: config.length,
  }));
  const document = {
    schemaVersion: 2,
    mediaType,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: config.length },
    layers,
  };
  const put = await fetch(`${url}/v2/bench/manifests/latest`, {
    method: 'PUT',
    headers: { 'Content-Type': mediaType },
    body: JSON.stringify(document),
  });
  if (put.status !== 201) throw new Error(`cannot push the manifest: ${await put.text()}`);
}

/** Requests per second for the manifest by its tag, over `connections`. */
export async function manifestRate(
  { url }: RegistrySide,
  { seconds, connections }: { readonly seconds: number; readonly connections: number },
): Promise<number> {
  const accept = 'Accept: application/vnd.oci.image.manifest.v1+json';
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '-H', accept, `${url}/v2/bench/manifests/latest`];
  const { stdout } = await run('wrk', args, { timeout: (seconds + 20) * 1000 });
  if (/Non-2xx/.test(stdout)) throw new Error(`wrk: ${stdout}`);
  return Number(/Requests\/sec:\s*([\d.]+)/.exec(stdout)?.[1] ?? Number.NaN);
}
