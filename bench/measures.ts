import { join } from 'node:path';
import { command, daemonGrowth, docker, engineMemory, median, residentMemory, type Side } from './side.ts';

/** A figure of both sides; less is better. */
export interface Result {
  readonly name: string;
  readonly unit: string;
  readonly subject: number;
  /** undefined: not measured there. */
  readonly peer: number | undefined;
  /** What is to be reached: a ratio subject/peer, or a figure with its unit. */
  readonly target: string;
}

/** Who is measured, and how thoroughly. */
export interface Plan {
  readonly subject: Side;
  readonly peer: Side;
  /** How often short commands are timed. */
  readonly times: number;
}

/** One measurement, or several that belong together. */
export type Measure = (plan: Plan) => Promise<Result[]>;

const image = 'busybox';
const idle = [image, 'sleep', '10000'] as const;
const idleContainers = 30;
const concurrentContainers = 50;
const streamedMegabytes = 2000;
/** How long the slow reader reads nothing. Milliseconds. */
const readerPause = 5000;

/** How one measurement is taken. */
export interface Timing {
  readonly name: string;
  readonly target: string;
  readonly times: number;
  /** The first run of each side is not counted: caches are cold. */
  readonly warmUp: boolean;
  /** Before each run, not timed. */
  readonly before?: (side: Side) => Promise<unknown>;
  /** Milliseconds. */
  readonly run: (side: Side) => Promise<number>;
}

/** Times the same on both sides in turn, so that a change of the machine's speed meets both. */
export async function timed({ subject, peer }: Plan, timing: Timing): Promise<Result> {
  const { name, target, times, warmUp, before, run } = timing;
  const taken = { subject: [] as number[], peer: [] as number[] };
  for (let round = warmUp ? -1 : 0; round < times; round += 1) {
    for (const side of [subject, peer]) {
      await before?.(side);
      const milliseconds = await run(side);
      if (round >= 0) taken[side.name].push(milliseconds);
    }
  }
  return { name, unit: 'ms', subject: median(taken.subject), peer: median(taken.peer), target };
}

/** Names that no other run of this program uses. */
function containerNames(purpose: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `bench-${process.pid}-${purpose}-${n}`);
}

const measureRun: Measure = async (plan) => {
  const timing = (...flags: string[]): Timing => ({
    name: ['run', '--rm', ...flags, image, 'true'].join(' '),
    target: '0.25',
    times: plan.times,
    warmUp: true,
    run: async (side) => (await docker(side, 'run', '--rm', ...flags, image, 'true')).milliseconds,
  });
  return [await timed(plan, timing()), await timed(plan, timing('--net', 'none'))];
};

const measureExec: Measure = async (plan) => {
  const [name = ''] = containerNames('exec', 1);
  const sides = [plan.subject, plan.peer];
  try {
    for (const side of sides) await docker(side, 'run', '-d', '--name', name, ...idle);
    const run = async (side: Side): Promise<number> =>
      (await docker(side, 'exec', name, 'true')).milliseconds;
    return [await timed(plan, { name: 'exec C true', target: '0.35', times: plan.times, warmUp: true, run })];
  } finally {
    for (const side of sides) await docker(side, 'rm', '-f', name);
  }
};

const measureConcurrent: Measure = async (plan) => {
  const names = containerNames('many', concurrentContainers);
  const run = async (side: Side): Promise<number> => {
    const began = performance.now();
    try {
      await Promise.all(names.map((name) => docker(side, 'run', '-d', '--name', name, ...idle)));
      return performance.now() - began;
    } finally {
      await docker(side, 'rm', '-f', ...names);
    }
  };
  const name = `${concurrentContainers} concurrent run -d`;
  return [await timed(plan, { name, target: '0.35', times: 3, warmUp: true, run })];
};

const measureMemory: Measure = async ({ subject, peer }) => {
  const names = containerNames('idle', idleContainers);
  const perContainer = async (side: Side): Promise<number | undefined> => {
    if (side.pid === undefined) return undefined;
    const before = engineMemory(side.pid);
    try {
      for (const name of names) await docker(side, 'run', '-d', '--name', name, ...idle);
      return (engineMemory(side.pid) - before) / idleContainers / 1024;
    } finally {
      await docker(side, 'rm', '-f', ...names);
    }
  };
  const own = await perContainer(subject);
  if (own === undefined) return [];
  const name = `memory per idle container (${idleContainers} running)`;
  return [{ name, unit: 'MB PSS', subject: own, peer: await perContainer(peer), target: '2.5 MB' }];
};

const measureStream: Measure = async (plan) => {
  const program = [image, 'dd', 'if=/dev/zero', 'bs=1M', `count=${streamedMegabytes}`];
  const run = async (side: Side): Promise<number> => {
    const { milliseconds, bytes } = await docker(side, 'run', '--rm', ...program);
    if (bytes !== streamedMegabytes << 20)
      throw new Error(`${side.name} delivered ${bytes} bytes of ${streamedMegabytes << 20}`);
    return milliseconds;
  };
  const name = `run ${image} dd of ${streamedMegabytes} MiB to the client`;
  return [await timed(plan, { name, target: '1.0', times: 2, warmUp: false, run })];
};

const measureSlowReader: Measure = async ({ subject, peer }) => {
  const megabytes = 200;
  const program = [image, 'dd', 'if=/dev/zero', 'bs=1M', `count=${megabytes}`];
  const growth = async (side: Side): Promise<number | undefined> => {
    if (side.pid === undefined) return undefined;
    const stop = daemonGrowth(side.pid);
    const { bytes } = await command(side, ['docker', 'run', '--rm', ...program], { readerPause });
    if (bytes !== megabytes << 20)
      throw new Error(`${side.name} delivered ${bytes} bytes of ${megabytes << 20}`);
    return stop() / 1024;
  };
  const own = await growth(subject);
  if (own === undefined) return [];
  const name = `daemon's growth while a reader of ${megabytes} MiB sleeps ${readerPause / 1000} s`;
  return [{ name, unit: 'MB RSS', subject: own, peer: await growth(peer), target: 'bounded' }];
};

const measurePs: Measure = async (plan) => {
  const skiff = join(import.meta.dirname, '..', 'dist', 'skiff');
  const run = async (side: Side): Promise<number> =>
    (await (side.name === 'subject' ? command(side, [skiff, 'ps']) : docker(side, 'ps'))).milliseconds;
  const times = Math.max(20, plan.times);
  const same = async (side: Side): Promise<number> => (await docker(side, 'ps')).milliseconds;
  return [
    await timed(plan, { name: 'skiff ps / docker ps', target: '1.5', times, warmUp: true, run }),
    // What the docker command line itself costs: no ratio of a command that it runs can get below this.
    await timed(plan, { name: 'docker ps', target: '-', times, warmUp: true, run: same }),
  ];
};

const measureGrowth: Measure = async ({ subject, peer }) => {
  if (subject.pid === undefined) return [];
  const results: Result[] = [];
  for (let run = 1; run <= 1000; run += 1) {
    await docker(subject, 'run', '--rm', image, 'true');
    if (run % 250 !== 0) continue;
    const own = residentMemory(subject.pid) / 1024;
    const other = peer.pid === undefined ? undefined : residentMemory(peer.pid) / 1024;
    const name = `daemon after ${run} more runs (peer: none more)`;
    results.push({ name, unit: 'MB RSS', subject: own, peer: other, target: '130 MB' });
  }
  return results;
};

/** All measurements by name, in their order. */
export const measures: Readonly<Record<string, Measure>> = {
  run: measureRun,
  exec: measureExec,
  concurrent: measureConcurrent,
  memory: measureMemory,
  stream: measureStream,
  slow: measureSlowReader,
  ps: measurePs,
  growth: measureGrowth,
};
