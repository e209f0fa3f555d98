import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, release } from 'node:os';
import { parseArgs } from 'node:util';
import { measures, type Plan, type Result } from './measures.ts';
import { docker, type Side } from './side.ts';

const usage =
  'usage: bench/compare --subject SOCKET --peer SOCKET [--subject-pid PID] [--peer-pid PID] ' +
  `[--only ${Object.keys(measures).join(',')}] [--times N] [--json FILE]`;

/** What was measured, where, and when. */
interface Report {
  readonly date: string;
  readonly subject: string;
  readonly peer: string;
  readonly client: string;
  readonly machine: string;
  /** Load averages of one minute, before and after: what else ran. */
  readonly load: readonly number[];
  readonly results: readonly Result[];
}

function rowOf({ name, unit, subject, peer, target }: Result): string {
  const figure = (value: number | undefined): string =>
    value === undefined ? '-' : `${value.toFixed(value < 10 ? 2 : 0)} ${unit}`;
  const ratio = peer === undefined || peer === 0 ? '-' : (subject / peer).toFixed(2);
  return `| ${name} | ${figure(subject)} | ${figure(peer)} | ${ratio} | ${target} |`;
}

function textOf({ date, subject, peer, client, machine, load, results }: Report): string {
  return [
    `${date}; subject ${subject}, peer ${peer}, client ${client}`,
    `${machine}; load before and after: ${load.map((value) => value.toFixed(1)).join(', ')}`,
    '',
    '| | subject | peer | ratio | to reach |',
    '|---|---|---|---|---|',
    ...results.map(rowOf),
    '',
  ].join('\n');
}

function numberOf(name: string, text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new Error(`--${name} needs a number from 1 on, not "${text}"`);
  return Number(text);
}

interface Options {
  readonly plan: Plan;
  readonly names: readonly string[];
  readonly json: string | undefined;
}

function readOptions(args: readonly string[]): Options {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      subject: text,
      peer: text,
      'subject-pid': text,
      'peer-pid': text,
      json: text,
      only: text,
      times: { type: 'string', default: '15' },
    },
  });
  if (values.subject === undefined || values.peer === undefined) throw new Error(usage);
  const pid = (name: 'subject-pid' | 'peer-pid'): number | undefined =>
    values[name] === undefined ? undefined : numberOf(name, values[name]);
  const names = values.only?.split(',') ?? Object.keys(measures);
  const unknown = names.find((name) => measures[name] === undefined);
  if (unknown !== undefined) throw new Error(`unknown measurement "${unknown}"; ${usage}`);
  return {
    plan: {
      subject: { name: 'subject', socket: values.subject, pid: pid('subject-pid') },
      peer: { name: 'peer', socket: values.peer, pid: pid('peer-pid') },
      times: numberOf('times', values.times),
    },
    names,
    json: values.json,
  };
}

/** The daemon's own words about its version, with the name of the part that runs containers. */
async function versionOf(side: Side): Promise<string> {
  const format = '{{range .Server.Components}}{{.Name}} {{.Version}}, {{end}}';
  return (await docker(side, 'version', '--format', format)).stdout.replace(/,\s*$/, '');
}

async function main(): Promise<void> {
  const { plan, names, json } = readOptions(process.argv.slice(2));
  const before = loadavg()[0] ?? 0;
  const results: Result[] = [];
  for (const name of names) {
    results.push(...((await measures[name]?.(plan)) ?? []));
    process.stderr.write(`measured ${name}\n`);
  }
  const report: Report = {
    date: new Date().toISOString(),
    subject: await versionOf(plan.subject),
    peer: await versionOf(plan.peer),
    client: execFileSync('docker', ['--version'], { encoding: 'utf8' }).trim(),
    machine: `Linux ${release()}, ${availableParallelism()} CPUs, Node ${process.version}`,
    load: [before, loadavg()[0] ?? 0],
    results,
  };
  process.stdout.write(textOf(report));
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, undefined, 2)}\n`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench/compare: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
