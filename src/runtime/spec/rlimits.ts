import { readFileSync } from 'node:fs';
import { invalid } from '#/base/errors.ts';
import type { OciRlimit } from '#/oci/runtime-spec.ts';

/** A soft and a hard limit; -1 is unlimited. */
export interface Rlimit {
  readonly soft: number;
  readonly hard: number;
}

/** A limit by its name as in `--ulimit` (nofile, nproc, memlock, ...). */
export interface UlimitInput extends Rlimit {
  readonly name: string;
}

/** The line of /proc/<pid>/limits for each name that `--ulimit` takes. */
const procNames: Readonly<Record<string, string>> = {
  core: 'Max core file size',
  cpu: 'Max cpu time',
  data: 'Max data size',
  fsize: 'Max file size',
  locks: 'Max file locks',
  memlock: 'Max locked memory',
  msgqueue: 'Max msgqueue size',
  nice: 'Max nice priority',
  nofile: 'Max open files',
  nproc: 'Max processes',
  rss: 'Max resident set',
  rtprio: 'Max realtime priority',
  rttime: 'Max realtime timeout',
  sigpending: 'Max pending signals',
  stack: 'Max stack size',
};

/** 2^64-1, what the specification and the kernel call unlimited. */
const infinity = 0xffff_ffff_ffff_ffffn;

/** The limits of this process by name. */
export function readLimits(): ReadonlyMap<string, Rlimit> {
  const lines = readFileSync('/proc/self/limits', 'utf8').split('\n');
  const limits = new Map<string, Rlimit>();
  for (const [name, label] of Object.entries(procNames)) {
    const values = lines
      .find((line) => line.startsWith(label))
      ?.slice(label.length)
      .trim()
      .split(/\s+/);
    if (values?.[0] === undefined || values[1] === undefined) continue;
    limits.set(name, { soft: parse(values[0]), hard: parse(values[1]) });
  }
  return limits;
}

function parse(text: string): number {
  return text === 'unlimited' ? -1 : Number(text);
}

/** Throws `invalid` unless `--ulimit` knows the name and the soft limit is not above the hard one. */
function checkUlimit({ name, soft, hard }: UlimitInput): void {
  if (!(name in procNames)) throw invalid(`invalid ulimit type: ${name}`);
  if (above(soft, hard)) {
    throw invalid(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
  }
}

/**
 * The limits as the specification has them. Without CAP_SYS_RESOURCE (`mayRaise` false) nobody can have more than the
 * daemon's own hard limits: what is above is lowered to them.
 */
export function ociRlimits(
  inputs: readonly UlimitInput[],
  { own, mayRaise }: { own: ReadonlyMap<string, Rlimit>; mayRaise: boolean },
): OciRlimit[] {
  return inputs.map((input) => {
    checkUlimit(input);
    const most = mayRaise ? -1 : (own.get(input.name)?.hard ?? -1);
    return {
      type: `RLIMIT_${input.name.toUpperCase()}`,
      soft: ociValue(lower(input.soft, most)),
      hard: ociValue(lower(input.hard, most)),
    };
  });
}

function above(a: number, b: number): boolean {
  if (b === -1) return false;
  return a === -1 || a > b;
}

function lower(value: number, most: number): number {
  return above(value, most) ? most : value;
}

function ociValue(value: number): number | bigint {
  return value === -1 ? infinity : value;
}
