import type { ProcessInput } from '#/runtime/spec/input.ts';
import type { WindowSize } from '#/runtime/terminal.ts';
import { type ResolvedUser, resolveUser } from '#/runtime/user.ts';
import type { ExecRequest } from './execs.ts';
import type { ContainerRecord } from './model.ts';
import type { ContainerParts } from './parts.ts';
import { parseSecurityOptions } from './security.ts';
import { capabilitiesOf, withDefaults } from './spec-input.ts';

/** What an exec comes to in its container: the container's settings where the request names none. Throws as `execUser`. */
export function execProcess(
  { dirs, host }: Pick<ContainerParts, 'dirs' | 'host'>,
  record: ContainerRecord,
  { request, size }: { readonly request: ExecRequest; readonly size: WindowSize | undefined },
): ProcessInput {
  const { config, hostConfig } = record.spec;
  const cwd = request.workingDir === '' ? config.WorkingDir : request.workingDir;
  const env = [...(config.Env ?? []), ...request.env];
  return {
    args: request.command,
    env: withDefaults(env, { hostname: config.Hostname, terminal: request.tty }),
    cwd: cwd === '' ? '/' : cwd,
    terminal: request.tty,
    consoleSize: size ?? request.consoleSize,
    user: execUser({ dirs }, record, request),
    capabilities: capabilitiesOf(request.privileged ? { ...hostConfig, Privileged: true } : hostConfig, host),
    noNewPrivileges: parseSecurityOptions(hostConfig.SecurityOpt ?? []).noNewPrivileges,
    rlimits: (hostConfig.Ulimits ?? []).map(({ Name, Soft, Hard }) => ({
      name: Name,
      soft: Soft,
      hard: Hard,
    })),
    oomScoreAdj: hostConfig.OomScoreAdj,
  };
}

/** Who an exec runs as, looked up in the container's files. Throws `invalid` for a user that is not there. */
export function execUser(
  { dirs }: Pick<ContainerParts, 'dirs'>,
  { id, spec }: ContainerRecord,
  { user }: ExecRequest,
): ResolvedUser {
  return resolveUser(dirs.rootfsOf(id), {
    user: user === '' ? spec.config.User : user,
    groupAdd: spec.hostConfig.GroupAdd ?? [],
  });
}
