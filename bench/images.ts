import { parseArgs } from 'node:util';
import { largeImage, makeSamples, smallNames } from './image-samples.ts';
import { type Measure, type Plan, type Result, timed } from './measures.ts';
import { command, daemonGrowth, docker, type Side } from './side.ts';

const usage =
  'usage: bench/images --subject SOCKET --peer SOCKET --registry HOST:PORT --samples DIRECTORY ' +
  '[--subject-pid PID] [--peer-pid PID] [--empty-registries HOST:PORT,…] [--times N] [--only prepare,load,save,pull,small,push]';

interface Options {
  readonly plan: Plan;
  /** A registry that both sides reach under this name. */
  readonly registry: string;
  /** Registries without any content, each for one push of each side. */
  readonly emptyRegistries: readonly string[];
  readonly samples: { readonly large: string; readonly small: string };
}

/** Removes images, whether they are there or not. */
async function forget(side: Side, ...names: readonly string[]): Promise<void> {
  const ids = await docker(side, 'images', '-q', '--no-trunc');
  if (ids.stdout === '') return;
  for (const name of names) await docker(side, 'rmi', '-f', name).catch(() => undefined);
}

/** Removes the large image under all its names: what is kept of it under one would spare the other the work. */
async function forgetLarge(side: Side): Promise<void> {
  const [repository = ''] = largeImage.split(':');
  const filters = [repository, `*/${repository}`].flatMap((name) => ['--filter', `reference=${name}`]);
  const { stdout } = await docker(side, 'images', '--format', '{{.Repository}}:{{.Tag}}', ...filters);
  await forget(side, ...stdout.split('\n').filter((name) => name !== ''));
}

/** Puts the samples into the registry, from the peer. */
async function prepare({ plan: { peer }, registry, samples }: Options): Promise<Result[]> {
  for (const file of [samples.large, samples.small]) await docker(peer, 'load', '-q', '-i', file);
  for (const name of [largeImage, ...smallNames]) {
    await docker(peer, 'tag', name, `${registry}/${name}`);
    await docker(peer, 'push', '-q', `${registry}/${name}`);
    await forget(peer, `${registry}/${name}`, name);
  }
  return [];
}

const load =
  ({ samples }: Options): Measure =>
  async (plan) => [
    await timed(plan, {
      name: 'load of 1.4 GB, 30,000 files, 5 layers',
      target: '0.6',
      times: plan.times,
      warmUp: false,
      before: forgetLarge,
      run: async (side) => (await docker(side, 'load', '-q', '-i', samples.large)).milliseconds,
    }),
  ];

const save =
  ({ samples }: Options): Measure =>
  async (plan) => {
    for (const side of [plan.subject, plan.peer]) await docker(side, 'load', '-q', '-i', samples.large);
    const run = async (side: Side): Promise<number> => (await docker(side, 'save', largeImage)).milliseconds;
    return [
      await timed(plan, { name: 'save of the same', target: '0.6', times: plan.times, warmUp: false, run }),
    ];
  };

const pull =
  ({ registry }: Options): Measure =>
  async (plan) => {
    const name = `${registry}/${largeImage}`;
    const peaks = { subject: 0, peer: 0 };
    const run = async (side: Side): Promise<number> => {
      const stop = side.pid === undefined ? (): number => 0 : daemonGrowth(side.pid);
      const began = performance.now();
      await docker(side, 'pull', '-q', name);
      const { stdout: id } = await docker(side, 'create', name);
      const milliseconds = performance.now() - began;
      peaks[side.name] = Math.max(peaks[side.name], stop() / 1024);
      await docker(side, 'rm', id);
      return milliseconds;
    };
    const result = await timed(plan, {
      name: 'pull of the same, cold, until it can run',
      target: '0.5',
      times: plan.times,
      warmUp: false,
      before: forgetLarge,
      run,
    });
    const growth = {
      name: "daemon's growth meanwhile, at most",
      unit: 'MB RSS',
      ...peaks,
      target: 'bounded',
    };
    return [result, growth];
  };

const small =
  ({ registry }: Options): Measure =>
  async (plan) => {
    const names = smallNames.map((name) => `${registry}/${name}`);
    return [
      await timed(plan, {
        name: `pull of ${names.length} images of one tiny layer, one after the other`,
        target: '0.6',
        times: Math.min(plan.times, 2),
        warmUp: false,
        before: (side) => forget(side, ...names),
        run: async (side) => {
          const began = performance.now();
          for (const name of names) await pullOverApi(side, name);
          return performance.now() - began;
        },
      }),
    ];
  };

/** Without the command line, whose start would take most of the time on both sides. */
async function pullOverApi(side: Side, name: string): Promise<void> {
  const at = name.lastIndexOf(':');
  const query = new URLSearchParams({ fromImage: name.slice(0, at), tag: name.slice(at + 1) });
  const { stdout } = await command(side, [
    'curl',
    '-sS',
    '--unix-socket',
    side.socket,
    '-X',
    'POST',
    `http://localhost/images/create?${query.toString()}`,
  ]);
  if (!stdout.includes('"status":"Digest')) throw new Error(`${side.name}: pull of ${name}: ${stdout}`);
}

const push =
  ({ emptyRegistries, samples }: Options): Measure =>
  async (plan) => {
    if (emptyRegistries.length === 0) return [];
    const left = { subject: [...emptyRegistries], peer: [...emptyRegistries] };
    for (const side of [plan.subject, plan.peer]) {
      await forgetLarge(side);
      await docker(side, 'load', '-q', '-i', samples.large);
    }
    const run = async (side: Side): Promise<number> => {
      const name = `${left[side.name].shift()}/${largeImage}`;
      await docker(side, 'tag', largeImage, name);
      return (await docker(side, 'push', '-q', name)).milliseconds;
    };
    const times = emptyRegistries.length;
    return [
      await timed(plan, {
        name: 'push of the same, after load, to an empty registry',
        target: '0.7',
        times,
        warmUp: false,
        run,
      }),
    ];
  };

const steps: Readonly<Record<string, (options: Options) => Promise<Result[]>>> = {
  prepare,
  load: (options) => load(options)(options.plan),
  save: (options) => save(options)(options.plan),
  pull: (options) => pull(options)(options.plan),
  small: (options) => small(options)(options.plan),
  push: (options) => push(options)(options.plan),
};

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      subject: text,
      peer: text,
      registry: text,
      samples: text,
      'subject-pid': text,
      'peer-pid': text,
      'empty-registries': text,
      times: { type: 'string', default: '3' },
      only: text,
    },
  });
  const { subject, peer, registry, samples } = values;
  if (subject === undefined || peer === undefined || registry === undefined || samples === undefined) {
    throw new Error(usage);
  }
  const pid = (value: string | undefined): number | undefined =>
    value === undefined ? undefined : Number(value);
  const options: Options = {
    plan: {
      subject: { name: 'subject', socket: subject, pid: pid(values['subject-pid']) },
      peer: { name: 'peer', socket: peer, pid: pid(values['peer-pid']) },
      times: Number(values.times),
    },
    registry,
    emptyRegistries: values['empty-registries']?.split(',') ?? [],
    samples: await makeSamples(samples),
  };
  process.stdout.write('| | subject | peer | ratio | to reach |\n|---|---|---|---|---|\n');
  for (const name of values.only?.split(',') ?? Object.keys(steps)) {
    const step = steps[name];
    if (step === undefined) throw new Error(`unknown measurement "${name}"; ${usage}`);
    for (const { name: what, unit, subject: own, peer: other = 0, target } of await step(options)) {
      const ratio = other === 0 ? '-' : (own / other).toFixed(2);
      process.stdout.write(
        `| ${what} | ${own.toFixed(0)} ${unit} | ${other.toFixed(0)} ${unit} | ${ratio} | ${target} |\n`,
      );
    }
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench/images: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
