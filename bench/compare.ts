import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { command, docker, engineMemory, median, residentMemory, type Side } from './side.ts';

/** A figure of both sides; less is better. `target` is the ratio to reach. */
interface Result {
  readonly name: string;
  readonly unit: string;
  readonly subject: number;
  readonly peer: number | undefined;
  readonly target: string;
}

interface Plan {
  readonly subject: Side;
  readonly peer: Side;
  /** How often short commands are timed. */
  readonly times: number;
}

type Measure = (plan: Plan) => Promise<Result[]>;

const image = 'busybox';
const idleContainers = 30;

/** Times the same command on both sides in turn, so that a change of the machine's speed meets both. */
async function timed(
  plan: Plan,
  name: string,
  run: (side: Side) => Promise<number>,
): Promise<Omit<Result, 'target'>> {
  const times = { subject: [] as number[], peer: [] as number[] };
  for (const side of [plan.subject, plan.peer]) await run(side);
  for (let round = 0; round < plan.times; round += 1) {
    for (const side of [plan.subject, plan.peer]) times[side.name].push(await run(side));
  }
  return { name, unit: 'ms', subject: median(times.subject), peer: median(times.peer) };
}

const measureRun: Measure = async (plan) => {
  const run =
    (...flags: string[]) =>
    async (side: Side): Promise<number> =>
      (await docker(side, 'run', '--rm', ...flags, image, 'true')).milliseconds;
  return [
    { ...(await timed(plan, 'run --rm busybox true', run())), target: '0.25' },
    { ...(await timed(plan, 'run --rm --net none busybox true', run('--net', 'none'))), target: '0.25' },
  ];
};

const measureExec: Measure = async (plan) => {
  for (const side of [plan.subject, plan.peer])
    await docker(side, 'run', '-d', '--name', 'bench-exec', image, 'sleep', '10000');
  try {
    const run = async (side: Side): Promise<number> =>
      (await docker(side, 'exec', 'bench-exec', 'true')).milliseconds;
    return [{ ...(await timed(plan, 'exec C true', run)), target: '0.35' }];
  } finally {
    for (const side of [plan.subject, plan.peer]) await docker(side, 'rm', '-f', 'bench-exec');
  }
};

const measureConcurrent: Measure = async (plan) => {
  const run = async (side: Side): Promise<number> => {
    const began = performance.now();
    const names = Array.from({ length: 50 }, (_, n) => `bench-many-${n}`);
    await Promise.all(
      names.map((name) => docker(side, 'run', '-d', '--name', name, image, 'sleep', '10000')),
    );
    const taken = performance.now() - began;
    await docker(side, 'rm', '-f', ...names);
    return taken;
  };
  return [{ ...(await timed({ ...plan, times: 3 }, '50 concurrent run -d', run)), target: '0.35' }];
};

const measureMemory: Measure = async ({ subject, peer }) => {
  const perContainer = async (side: Side): Promise<number | undefined> => {
    if (side.pid === undefined) return undefined;
    const before = engineMemory(side.pid);
    const names = Array.from({ length: idleContainers }, (_, n) => `bench-idle-${n}`);
    for (const name of names) await docker(side, 'run', '-d', '--name', name, image, 'sleep', '10000');
    const after = engineMemory(side.pid);
    await docker(side, 'rm', '-f', ...names);
    return (after - before) / idleContainers / 1024;
  };
  const [own, other] = [await perContainer(subject), await perContainer(peer)];
  if (own === undefined) return [];
  return [
    {
      name: `memory per idle container (${idleContainers} running)`,
      unit: 'MB PSS',
      subject: own,
      peer: other,
      target: '2.5 MB',
    },
  ];
};

const measureStream: Measure = async (plan) => {
  const megabytes = 2000;
  const run = async (side: Side): Promise<number> => {
    const { milliseconds, bytes } = await docker(
      side,
      'run',
      '--rm',
      image,
      'dd',
      'if=/dev/zero',
      'bs=1M',
      `count=${megabytes}`,
    );
    if (bytes !== megabytes << 20)
      throw new Error(`${side.name} delivered ${bytes} bytes of ${megabytes << 20}`);
    return milliseconds;
  };
  return [
    {
      ...(await timed({ ...plan, times: 3 }, 'run busybox dd of 2000 MiB to the client', run)),
      target: '1.0',
    },
  ];
};

const measurePs: Measure = async (plan) => {
  const skiff = join(import.meta.dirname, '..', 'dist', 'skiff');
  const run = async (side: Side): Promise<number> =>
    (await (side.name === 'subject' ? command(side, [skiff, 'ps']) : docker(side, 'ps'))).milliseconds;
  return [
    {
      ...(await timed({ ...plan, times: Math.max(20, plan.times) }, 'skiff ps / docker ps', run)),
      target: '1.5',
    },
  ];
};

const measureGrowth: Measure = async ({ subject }) => {
  if (subject.pid === undefined) return [];
  const after: number[] = [];
  for (let run = 1; run <= 1000; run += 1) {
    await docker(subject, 'run', '--rm', image, 'true');
    if (run % 500 === 0) after.push(residentMemory(subject.pid) / 1024);
  }
  return [
    {
      name: 'daemon after 500 runs',
      unit: 'MB RSS',
      subject: after[0] ?? Number.NaN,
      peer: undefined,
      target: '130 MB',
    },
    {
      name: 'daemon after 1000 runs',
      unit: 'MB RSS',
      subject: after[1] ?? Number.NaN,
      peer: undefined,
      target: '130 MB',
    },
  ];
};

const measures: Readonly<Record<string, Measure>> = {
  run: measureRun,
  exec: measureExec,
  concurrent: measureConcurrent,
  memory: measureMemory,
  stream: measureStream,
  ps: measurePs,
  growth: measureGrowth,
};

function table(results: readonly Result[]): string {
  const number = (value: number | undefined): string =>
    value === undefined ? '-' : value.toFixed(value < 10 ? 2 : 0);
  const rows = results.map((row) => {
    const ratio = row.peer === undefined ? undefined : row.subject / row.peer;
    return `| ${row.name} | ${number(row.subject)} ${row.unit} | ${number(row.peer)} ${row.peer === undefined ? '' : row.unit} | ${ratio === undefined ? '-' : ratio.toFixed(2)} | ${row.target} |`;
  });
  return ['| | subject | peer | ratio | to reach |', '|---|---|---|---|---|', ...rows].join('\n');
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      subject: { type: 'string' },
      peer: { type: 'string' },
      'subject-pid': { type: 'string' },
      'peer-pid': { type: 'string' },
      json: { type: 'string' },
      only: { type: 'string' },
      times: { type: 'string', default: '15' },
    },
  });
  if (values.subject === undefined || values.peer === undefined) {
    throw new Error(
      'usage: bench/compare --subject SOCKET --peer SOCKET [--subject-pid PID] [--peer-pid PID] [--only a,b] [--times N] [--json FILE]',
    );
  }
  const pid = (text: string | undefined): number | undefined =>
    text === undefined ? undefined : Number(text);
  const plan: Plan = {
    subject: { name: 'subject', socket: values.subject, pid: pid(values['subject-pid']) },
    peer: { name: 'peer', socket: values.peer, pid: pid(values['peer-pid']) },
    times: Number(values.times),
  };
  const names = values.only?.split(',') ?? Object.keys(measures);
  const results: Result[] = [];
  for (const name of names) {
    const measure = measures[name];
    if (measure === undefined)
      throw new Error(`unknown measurement "${name}"; there are ${Object.keys(measures).join(', ')}`);
    results.push(...(await measure(plan)));
    console.error(`measured ${name}`);
  }
  console.log(table(results));
  if (values.json !== undefined)
    writeFileSync(
      values.json,
      `${JSON.stringify({ date: new Date().toISOString(), results }, undefined, 2)}\n`,
    );
}

await main();
