import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type BuildSamples, base, changeOneFile, makeBuildSamples } from './build-samples.ts';
import { command, daemonGrowth, docker, median, type Side } from './side.ts';

const usage =
  'usage: bench/build --subject SOCKET --peer SOCKET --samples DIRECTORY [--subject-pid PID] [--peer-pid PID] ' +
  '[--times N] [--clients docker,skiff,classic] [--only rebuild,run,copy,stages]';

const result = 'bench-build-result:1';

/** A command line that builds on one of the daemons. */
interface Builder {
  readonly title: string;
  readonly side: Side;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

interface Options {
  readonly builders: readonly Builder[];
  readonly samples: BuildSamples;
  readonly times: number;
}

/** A measurement with its figures, one for each builder. */
interface Row {
  readonly name: string;
  readonly unit: string;
  readonly target: string;
  readonly figures: readonly number[];
}

/** How one measurement is taken. */
interface Timing {
  readonly name: string;
  readonly target: string;
  readonly folder: string;
  readonly times: number;
  readonly flags?: readonly string[];
  /** Before each build, not timed; gives the folder to build in instead of `folder`. */
  readonly before?: () => string;
}

const skiff = join(import.meta.dirname, '..', 'bin', 'skiff');
const clients: Readonly<Record<string, Pick<Builder, 'title' | 'argv' | 'environment'>>> = {
  docker: { title: 'docker build', argv: ['docker'], environment: { DOCKER_BUILDKIT: '1' } },
  classic: { title: 'classic docker build', argv: ['docker'], environment: { DOCKER_BUILDKIT: '0' } },
  skiff: { title: 'skiff build', argv: [skiff], environment: {} },
};

/** Milliseconds of a build. */
async function build(
  { side, argv, environment }: Builder,
  folder: string,
  flags: readonly string[] = [],
): Promise<number> {
  const assignments = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const line = ['env', ...assignments, ...argv, 'build', '-q', '-t', result, ...flags, folder];
  return (await command(side, line)).milliseconds;
}

/** Times the same with all builders in turn, so that a change of the machine's speed meets all. Tells how much daemons grew, too. */
async function timed({ builders }: Options, timing: Timing): Promise<Row[]> {
  const { name, target, folder, times, flags, before } = timing;
  const taken = builders.map((): number[] => []);
  const growth = builders.map(() => 0);
  for (let round = 0; round < times; round += 1) {
    for (const [index, builder] of builders.entries()) {
      const other = before?.();
      const stop = builder.side.pid === undefined ? (): number => 0 : daemonGrowth(builder.side.pid);
      taken[index]?.push(await build(builder, other ?? folder, flags));
      growth[index] = Math.max(growth[index] ?? 0, stop() / 1024);
    }
  }
  return [
    { name, unit: 'ms', target, figures: taken.map(median) },
    { name: "daemon's growth meanwhile, at most", unit: 'MB RSS', target: 'bounded', figures: growth },
  ];
}

async function rebuild(options: Options): Promise<Row[]> {
  const folder = options.samples.steps;
  for (const builder of options.builders) await build(builder, folder);
  const name = 'rebuild without a change: 20 steps, context of 2,000 files';
  return timed(options, { name, target: '0.4', folder, times: Math.max(5, options.times) });
}

async function run(options: Options): Promise<Row[]> {
  const { samples, times } = options;
  const flags = ['--no-cache'];
  return timed(options, {
    name: '20 x RUN true, uncached',
    target: '0.35',
    folder: samples.runs,
    times,
    flags,
  });
}

async function copy(options: Options): Promise<Row[]> {
  const { builders, samples, times } = options;
  const folder = samples.copy;
  const name = 'COPY of 500 MB in 20,000 files, uncached, sent for the first time';
  using copies = new FolderCopies(folder);
  const flags = ['--no-cache'];
  const cold = await timed(options, {
    name,
    target: '0.6',
    folder,
    times,
    flags,
    before: () => copies.next(),
  });
  for (const builder of builders) {
    await build(builder, folder);
    await sameFiles(builder);
  }
  // Before each build: two clients of one daemon share its cache.
  const before = (): string => {
    changeOneFile(folder);
    return folder;
  };
  const changed = { name: 'the same after a change of one file', target: '0.3', folder, times, before };
  return [...cold, ...(await timed(options, changed))];
}

/**
 * Copies of a folder that no builder has seen. To empty the caches instead would measure something else: ext4 without a journal passes
 * over recently deleted inodes, one by one, for minutes.
 */
class FolderCopies implements Disposable {
  readonly #folder: string;
  #count = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  next(): string {
    this.#count += 1;
    const copy = this.#path(this.#count);
    rmSync(copy, { recursive: true, force: true });
    execFileSync('cp', ['-al', this.#folder, copy]);
    return copy;
  }

  #path(number: number): string {
    return `${this.#folder}-${process.pid}-${number}`;
  }

  [Symbol.dispose](): void {
    for (let n = 1; n <= this.#count; n += 1) rmSync(this.#path(n), { recursive: true, force: true });
  }
}

/** Throws unless all files of the context are in the image. */
async function sameFiles({ title, side }: Builder): Promise<void> {
  const { stdout } = await docker(side, 'run', '--rm', result, 'sh', '-c', 'find /src -type f | wc -l');
  if (stdout !== '20000') throw new Error(`${title}, ${side.name}: the image has ${stdout} files of 20000`);
}

async function stages(options: Options): Promise<Row[]> {
  const { samples, times } = options;
  const flags = ['--no-cache'];
  const name = 'four independent stages that compute';
  return timed(options, { name, target: '1.0', folder: samples.stages, times, flags });
}

const steps: Readonly<Record<string, (options: Options) => Promise<Row[]>>> = { rebuild, run, copy, stages };

/** Columns: what the subject's clients took, each with its ratio to the peer. */
function print(rows: readonly Row[], builders: readonly Builder[]): void {
  for (const { name, unit, target, figures } of rows) {
    const peer = figures.at(-1) ?? Number.NaN;
    const cells = builders.map((builder, index) => {
      const own = figures[index] ?? Number.NaN;
      const ratio = unit === 'ms' && builder.side.name === 'subject' ? ` (${(own / peer).toFixed(2)})` : '';
      return `${own.toFixed(0)} ${unit}${ratio}`;
    });
    process.stdout.write(`| ${[name, ...cells, target].join(' | ')} |\n`);
  }
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      subject: text,
      peer: text,
      samples: text,
      'subject-pid': text,
      'peer-pid': text,
      times: { type: 'string', default: '3' },
      clients: { type: 'string', default: 'docker,skiff' },
      only: text,
    },
  });
  const { subject, peer, samples } = values;
  if (subject === undefined || peer === undefined || samples === undefined) throw new Error(usage);
  const pid = (value: string | undefined): number | undefined =>
    value === undefined ? undefined : Number(value);
  const sides: Readonly<Record<Side['name'], Side>> = {
    subject: { name: 'subject', socket: subject, pid: pid(values['subject-pid']) },
    peer: { name: 'peer', socket: peer, pid: pid(values['peer-pid']) },
  };
  const builderOf = (client: string, side: Side): Builder => {
    const known = clients[client];
    if (known === undefined) throw new Error(`unknown client "${client}"; ${usage}`);
    return { ...known, side };
  };
  const builders = [
    ...values.clients.split(',').map((client) => builderOf(client, sides.subject)),
    builderOf('docker', sides.peer),
  ];
  const options = { builders, samples: makeBuildSamples(samples), times: Number(values.times) };
  for (const side of [sides.subject, sides.peer]) {
    await docker(side, 'import', options.samples.baseArchive, base);
  }
  const titles = builders.map(({ title, side }) => (side.name === 'subject' ? title : `${title}, peer`));
  process.stdout.write(`| | ${titles.join(' | ')} | to reach |\n|---|${'---|'.repeat(titles.length + 1)}\n`);
  for (const name of values.only?.split(',') ?? Object.keys(steps)) {
    const step = steps[name];
    if (step === undefined) throw new Error(`unknown measurement "${name}"; ${usage}`);
    print(await step(options), builders);
  }
  for (const side of [sides.subject, sides.peer]) {
    await docker(side, 'rmi', '-f', result);
    await docker(side, 'builder', 'prune', '-af');
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench/build: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
