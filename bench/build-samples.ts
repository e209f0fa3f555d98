import { execFileSync } from 'node:child_process';
import { type Cipheriv, createCipheriv, randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Folders to build in. Each holds a Dockerfile, the first two a folder `src` with files. */
export interface BuildSamples {
  /** 20 steps, 2,000 files. */
  readonly steps: string;
  /** One COPY of 20,000 files, 500 MB. */
  readonly copy: string;
  /** 20 times RUN true. */
  readonly runs: string;
  /** Four stages that compute, and one that joins them. */
  readonly stages: string;
  /** An archive with busybox, to be imported as `base`. */
  readonly baseArchive: string;
}

/** The image that the samples build on. */
export const base = 'bench-build-base:1';

/** Makes the samples in a directory, unless they are there. The same each time. */
export function makeBuildSamples(directory: string): BuildSamples {
  mkdirSync(directory, { recursive: true });
  const samples = {
    steps: join(directory, 'steps'),
    copy: join(directory, 'copy'),
    runs: join(directory, 'runs'),
    stages: join(directory, 'stages'),
    baseArchive: join(directory, 'base.tar'),
  };
  make(samples.steps, (folder) => {
    const files = writeFiles(join(folder, 'src'), { count: 2000, meanSize: 4000 });
    const copies = files.slice(0, 6).map((file, n) => `COPY src/${file} /etc/config-${n}`);
    const runs = Array.from({ length: 7 }, (_, n) => `RUN echo ${n} > /tmp/${n}`);
    const settings = ['ENV A=1 B=2', 'ARG VERSION=3', 'WORKDIR /srv', 'LABEL version=$VERSION'];
    return [`FROM ${base}`, ...settings, ...runs, ...copies, 'COPY src /srv/src', 'CMD ["true"]'];
  });
  make(samples.copy, (folder) => {
    writeFiles(join(folder, 'src'), { count: 20_000, meanSize: 25_000 });
    return [`FROM ${base}`, 'COPY src /src'];
  });
  make(samples.runs, () => [`FROM ${base}`, ...Array.from({ length: 20 }, () => 'RUN true')]);
  make(samples.stages, () => {
    const names = ['a', 'b', 'c', 'd'];
    const work = 'for i in 1 2 3; do dd if=/dev/zero bs=1M count=200 2>/dev/null | sha256sum; done > /sum';
    return [
      ...names.flatMap((name) => [`FROM ${base} AS ${name}`, `RUN echo ${name}; ${work}`]),
      `FROM ${base}`,
      ...names.map((name) => `COPY --from=${name} /sum /sum-${name}`),
    ];
  });
  if (!existsSync(samples.baseArchive)) makeBase(samples.baseArchive);
  return samples;
}

/** Changes the content of one file of a context. */
export function changeOneFile(folder: string): void {
  writeFileSync(join(folder, 'src', fileName(0)), randomBytes(10_000));
}

/** `fill` writes what a folder holds and returns the lines of its Dockerfile. */
function make(folder: string, fill: (folder: string) => readonly string[]): void {
  if (existsSync(folder)) return;
  const fresh = `${folder}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  writeFileSync(join(fresh, 'Dockerfile'), `${fill(fresh).join('\n')}\n`);
  renameSync(fresh, folder);
}

/** Files whose sizes are spread evenly, in folders of a hundred; returns their names. */
function writeFiles(
  folder: string,
  { count, meanSize }: { readonly count: number; readonly meanSize: number },
): string[] {
  const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16));
  return Array.from({ length: count }, (_, n) => {
    const name = fileName(n);
    if (n % 100 === 0) mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), someText(noise, Math.round((2 * meanSize * ((n % 97) + 1)) / 98)));
    return name;
  });
}

function fileName(n: number): string {
  return `d${Math.floor(n / 100)}/f${n}`;
}

/** Half of it is noise. */
function someText(noise: Cipheriv, size: number): Buffer {
  const half = noise.update(Buffer.alloc(Math.ceil(size / 2)));
  return Buffer.concat([half, Buffer.alloc(size - half.length, 'the same text again and again; ')]);
}

/** Busybox and a name for each of its commands. */
function makeBase(archive: string): void {
  const root = `${archive}.root`;
  rmSync(root, { recursive: true, force: true });
  for (const folder of ['bin', 'etc', 'tmp']) mkdirSync(join(root, folder), { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  const commands = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n');
  for (const name of commands) if (name !== 'busybox') symlinkSync('busybox', join(root, 'bin', name));
  execFileSync('tar', ['-C', root, '--owner=0', '--group=0', '-cf', `${archive}.new`, '.']);
  rmSync(root, { recursive: true });
  renameSync(`${archive}.new`, archive);
}
