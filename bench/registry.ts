import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { availableParallelism, loadavg, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  deleteBlob,
  getBlob,
  manifestRate,
  pushSmallImage,
  putBlob,
  type RegistrySide,
  startPeer,
  startSubject,
} from './registry-side.ts';

/** How much is measured. */
interface Plan {
  /** MiB of the blob. */
  readonly size: number;
  readonly times: number;
  /** Of each measurement of requests. */
  readonly seconds: number;
  readonly json: string | undefined;
  /** Where both keep their content, for example on a tmpfs, to see what they cost beside the disk. */
  readonly folder: string;
}

/** One measurement: medians; higher is better. */
interface Result {
  readonly name: string;
  readonly unit: string;
  readonly subject: number;
  readonly peer: number;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Makes a file whose every MiB differs. */
function makeFile(path: string, mebibytes: number): void {
  const fd = openSync(path, 'w');
  const block = randomBytes(1024 * 1024);
  for (let index = 0; index < mebibytes; index += 1) {
    block.writeUInt32LE(index);
    writeSync(fd, block);
  }
  closeSync(fd);
}

/** Changes the file and returns its digest: each push is of a new blob. */
async function stamp(path: string): Promise<string> {
  const fd = openSync(path, 'r+');
  writeSync(fd, randomBytes(16), 0, 16, 0);
  closeSync(fd);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 }))
    hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}

/** One transfer: how fast it was, and what it cost the server. */
interface Transfer {
  /** MiB per second. */
  readonly rate: number;
  /** MiB per second of processor time. */
  readonly perCpu: number;
}

async function transfer(side: RegistrySide, size: number, run: () => Promise<number>): Promise<Transfer> {
  const before = side.cpuTime();
  const seconds = await run();
  return { rate: size / seconds, perCpu: (size * 1000) / Math.max(10, side.cpuTime() - before) };
}

async function measureBlobs(sides: readonly RegistrySide[], file: string, plan: Plan): Promise<Result[]> {
  const puts: Record<string, Transfer[]> = { subject: [], peer: [] };
  const gets: Record<string, Transfer[]> = { subject: [], peer: [] };
  for (let turn = 0; turn < plan.times; turn += 1) {
    const digest = await stamp(file);
    for (const side of turn % 2 === 0 ? sides : [...sides].reverse()) {
      puts[side.name]?.push(await transfer(side, plan.size, () => putBlob(side, file, digest)));
      gets[side.name]?.push(await transfer(side, plan.size, () => getBlob(side, digest)));
      await deleteBlob(side, digest);
    }
  }
  const of = (transfers: Record<string, Transfer[]>, name: string, member: keyof Transfer): Result => ({
    name,
    unit: member === 'rate' ? 'MiB/s' : 'MiB per CPU second',
    subject: median(transfers['subject']?.map((one) => one[member]) ?? []),
    peer: median(transfers['peer']?.map((one) => one[member]) ?? []),
  });
  return [
    of(puts, `PUT of a blob of ${plan.size} MiB`, 'rate'),
    of(puts, 'the same, by what it costs the server', 'perCpu'),
    of(gets, `GET of a blob of ${plan.size} MiB`, 'rate'),
    of(gets, 'the same, by what it costs the server', 'perCpu'),
  ];
}

async function measureManifests(sides: readonly RegistrySide[], plan: Plan): Promise<Result[]> {
  for (const side of sides) await pushSmallImage(side);
  const results: Result[] = [];
  for (const connections of [1, 32]) {
    const rates: Record<string, number[]> = { subject: [], peer: [] };
    for (let turn = 0; turn < Math.min(3, plan.times); turn += 1) {
      for (const side of sides) {
        rates[side.name]?.push(await manifestRate(side, { seconds: plan.seconds, connections }));
      }
    }
    results.push({
      name: `GET of a manifest by tag, ${connections} connection${connections === 1 ? '' : 's'}`,
      unit: 'requests/s',
      subject: median(rates['subject'] ?? []),
      peer: median(rates['peer'] ?? []),
    });
  }
  return results;
}

function readPlan(args: readonly string[]): Plan {
  const { values } = parseArgs({
    args: [...args],
    options: {
      size: { type: 'string', default: '512' },
      times: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '4' },
      json: { type: 'string' },
      folder: { type: 'string', default: tmpdir() },
    },
  });
  const count = (name: 'size' | 'times' | 'seconds'): number => {
    if (!/^[1-9]\d{0,4}$/.test(values[name]))
      throw new Error(`--${name} needs a number from 1 on, not "${values[name]}"`);
    return Number(values[name]);
  };
  return {
    size: count('size'),
    times: count('times'),
    seconds: count('seconds'),
    json: values.json,
    folder: values.folder,
  };
}

const plan = readPlan(process.argv.slice(2));
const folder = mkdtempSync(join(plan.folder, 'skiff-bench-registry-'));
try {
  const file = join(folder, 'blob');
  makeFile(file, plan.size);
  const loadBefore = loadavg()[0] ?? 0;
  await using subject = await startSubject(folder, 5101);
  await using peer = await startPeer(folder, 5102);
  const sides = [subject, peer];
  const results = [...(await measureManifests(sides, plan)), ...(await measureBlobs(sides, file, plan))];
  const memory = { subject: subject.peakMemory(), peer: peer.peakMemory() };
  const rows = results.map(
    ({ name, unit, subject: ours, peer: theirs }) =>
      `| ${name} | ${ours.toFixed(0)} ${unit} | ${theirs.toFixed(0)} ${unit} | ${(ours / theirs).toFixed(2)} |`,
  );
  const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(0)} MiB`;
  process.stdout.write(
    [
      `${new Date().toISOString()}; Linux ${release()}, ${availableParallelism()} CPUs; load before ${loadBefore.toFixed(1)}, after ${(loadavg()[0] ?? 0).toFixed(1)}`,
      '',
      '| | skiff-registry | docker-registry | ratio |',
      '|---|---|---|---|',
      ...rows,
      `| greatest memory | ${mebibytes(memory.subject)} | ${mebibytes(memory.peer)} | ${(memory.subject / memory.peer).toFixed(2)} |`,
      '',
    ].join('\n'),
  );
  if (plan.json !== undefined)
    writeFileSync(plan.json, `${JSON.stringify({ results, memory }, undefined, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
