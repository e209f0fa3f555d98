import { execFile } from 'node:child_process';
import { internal, invalid } from '#/base/errors.ts';
import { cgroupPids } from '#/kernel/cgroup/processes.ts';
import type { ContainerTopResponse } from '#/wire/containers.ts';
import { attributesOf } from './attributes.ts';
import { isAlive } from './model.ts';
import { type ContainerParts, cgroupOf } from './parts.ts';
import { notRunning } from './stop.ts';

const psPath = '/bin/ps';
const maxOutput = 16 << 20;

/** The processes of a container as the host's ps shows them; `args` are for ps. */
export async function containerTop(
  parts: ContainerParts,
  ref: string,
  args: string,
): Promise<ContainerTopResponse> {
  const record = parts.store.find(ref);
  if (!isAlive(record.state)) throw notRunning(record.id);
  const words = (args === '' ? '-ef' : args).split(/\s+/).filter((word) => word !== '');
  if (words.some((word) => /[^\w,:=%+.-]/.test(word))) throw invalid(`invalid ps arguments: "${args}"`);
  const pids = new Set(cgroupPids(parts.cgroups, cgroupOf(parts, record)).map(String));
  const found = selectProcesses(await ps(words), pids);
  const actor = { id: record.id, attributes: attributesOf(record) };
  parts.events.publish({ type: 'container', action: 'top', actor });
  return found;
}

/** The rows of ps's table whose PID is one of `pids`. The last column can contain spaces. */
export function selectProcesses(output: string, pids: ReadonlySet<string>): ContainerTopResponse {
  const [header = '', ...lines] = output.split('\n');
  const titles = header.trim().split(/\s+/);
  const column = titles.indexOf('PID');
  if (column < 0) throw internal("Couldn't find PID field in ps output");
  const rows = lines.flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    if (!pids.has(fields[column] ?? '')) return [];
    return [[...fields.slice(0, titles.length - 1), fields.slice(titles.length - 1).join(' ')]];
  });
  return { Titles: titles, Processes: rows };
}

function ps(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      psPath,
      args,
      { maxBuffer: maxOutput, env: { PATH: '/usr/bin:/bin' } },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(internal(`ps: ${stderr.trim().split('\n')[0] ?? error.message}`, error));
      },
    );
  });
}
