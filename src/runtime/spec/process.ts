import { invalid } from '#/base/errors.ts';
import type { OciProcess } from '#/oci/runtime-spec.ts';
import type { HostFacts } from './host.ts';
import type { ProcessInput } from './input.ts';
import { ociRlimits } from './rlimits.ts';

/** What of the host decides on processes. */
export type ProcessHost = Pick<HostFacts, 'capabilities' | 'limits' | 'oomScoreAdj'>;

/** A process as the specification has it: a container's first, and the file that exec takes. Throws `invalid`. */
export function ociProcess(input: ProcessInput, host: ProcessHost): OciProcess {
  const { args, cwd, terminal, user, consoleSize, oomScoreAdj } = input;
  if (args.length === 0 || args[0] === '') throw invalid('no command specified');
  if (!cwd.startsWith('/'))
    throw invalid(`the working directory '${cwd}' is invalid, it needs to be an absolute path`);
  checkId('user', user.uid);
  checkId('group', user.gid);
  for (const group of user.groups) checkId('group', group);
  const mayRaise = host.capabilities.has('CAP_SYS_RESOURCE');
  return {
    terminal,
    ...(terminal && consoleSize !== undefined && consoleSize.height > 0 ? { consoleSize } : {}),
    user: { uid: user.uid, gid: user.gid, additionalGids: withGroup(user) },
    args,
    env: withHome(input.env, user.home),
    cwd,
    capabilities: capabilitySets(input),
    rlimits: ociRlimits(input.rlimits, { own: host.limits, mayRaise }),
    noNewPrivileges: input.noNewPrivileges,
    ...(oomScoreAdj === undefined
      ? {}
      : { oomScoreAdj: mayRaise ? oomScoreAdj : Math.max(oomScoreAdj, host.oomScoreAdj) }),
  };
}

/**
 * Nothing is inheritable or ambient (CVE-2022-24769). Users other than root start without effective ones, as the kernel
 * would have it after an execve.
 */
function capabilitySets({ capabilities, user }: ProcessInput): OciProcess['capabilities'] {
  const active = user.uid === 0 ? capabilities : [];
  return { bounding: capabilities, effective: active, permitted: active, inheritable: [], ambient: [] };
}

function withHome(env: readonly string[], home: string): readonly string[] {
  const isHome = (entry: string): boolean => entry.startsWith('HOME=');
  if ((env.findLast(isHome) ?? 'HOME=') !== 'HOME=') return env;
  return [...env.filter((entry) => !isHome(entry)), `HOME=${home}`];
}

/** The first group among the others, so that a program cannot get rid of it through setgid files (CVE-2022-36109). */
function withGroup({ gid, groups }: ProcessInput['user']): readonly number[] {
  return [gid, ...groups.filter((group) => group !== gid)];
}

/** Linux ids are 32 bits, the last one means "none". Docker stops at 2^31-1. */
function checkId(kind: 'user' | 'group', id: number): void {
  if (!Number.isInteger(id) || id < 0 || id > 0x7fffffff) throw invalid(`${kind} id ${id} is out of range`);
}
