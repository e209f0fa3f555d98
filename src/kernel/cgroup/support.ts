import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CgroupLayout, hasController } from './layout.ts';

/** What the control groups of this machine can limit. */
export interface CgroupSupport {
  readonly memory: boolean;
  /** Swap, together with memory. */
  readonly swap: boolean;
  /** How readily memory is swapped out; v1 only. */
  readonly swappiness: boolean;
  /** Whether the kernel kills when memory runs out; v1 only. */
  readonly oomKillDisable: boolean;
  /** The number of processes. */
  readonly pids: boolean;
  /** Time on the processors, by share and by quota. */
  readonly cpu: boolean;
  /** Which processors and memory nodes are used. */
  readonly cpuset: boolean;
  /** Block I/O by weight. */
  readonly blkioWeight: boolean;
}

/** Reads what the kernel has, in each hierarchy of `layout`. `proc` and `sys` are where those file systems are. */
export function cgroupSupport(
  layout: CgroupLayout,
  { proc = '/proc', sys = '/sys' }: { readonly proc?: string; readonly sys?: string } = {},
): CgroupSupport {
  const memory = hasController(layout, 'memory');
  const has = (controller: string, file: string): boolean =>
    existsSync(join(layout.v1.get(controller) ?? '', file));
  const memoryFile = (file: string): boolean => layout.v1.has('memory') && has('memory', file);
  return {
    memory,
    swap: memory && (layout.v1.has('memory') ? memoryFile('memory.memsw.limit_in_bytes') : countsSwap(proc)),
    swappiness: memoryFile('memory.swappiness'),
    oomKillDisable: memoryFile('memory.oom_control'),
    pids: hasController(layout, 'pids'),
    cpu: hasController(layout, 'cpu'),
    cpuset: hasController(layout, 'cpuset'),
    blkioWeight: layout.v1.has('blkio')
      ? has('blkio', 'blkio.weight')
      : hasController(layout, 'blkio') && weighsBlocks(layout.v2 ?? '', sys),
  };
}

/** v2 has the files of a limit in groups only, not at its root, where nothing need be when the daemon starts. */
function countsSwap(proc: string): boolean {
  if (!existsSync(join(proc, 'swaps'))) return false;
  return !readFileSync(join(proc, 'cmdline'), 'utf8').split(/\s+/).includes('swapaccount=0');
}

/** By the kernel's cost model, which shows itself at the root (io.cost.qos), or by the scheduler BFQ. */
function weighsBlocks(v2: string, sys: string): boolean {
  return existsSync(join(v2, 'io.cost.qos')) || existsSync(join(sys, 'module/bfq'));
}
