import { posix } from 'node:path';
import { forbidden, invalid, notImplemented } from '#/base/errors.ts';
import type { ExpandOptions } from '#/dockerfile/expand.ts';
import { readMounts } from '#/dockerfile/expand-instruction.ts';
import type { RunInstruction } from '#/dockerfile/instruction.ts';
import type { Mount } from '#/dockerfile/mount.ts';
import { runScript } from '#/dockerfile/read-run.ts';
import type { BuildRequest, RunNetwork } from '../request.ts';
import { defaultShell } from './config-instructions.ts';
import type { MountPlan, RunNode, TreeInput } from './graph.ts';
import type { StageState } from './stage-state.ts';

/** What a RUN needs of the rest of the plan. */
export interface RunScope {
  readonly request: Pick<BuildRequest, 'run' | 'entitlements'>;
  /** Where a tree comes from that a mount names; undefined is the build's context. `path` is what is taken of it. */
  readonly tree: (from: string | undefined, path: string, target: string) => Promise<TreeInput>;
  readonly expand: ExpandOptions;
  /** Separates caches of builds that do not want to share them. */
  readonly cacheNamespace: string;
}

/** What a RUN comes to: its process and mounts, and its line in the history. */
export async function planRun(
  state: StageState,
  instruction: RunInstruction,
  scope: RunScope,
): Promise<Pick<RunNode, 'run' | 'mounts'> & { readonly shown: string }> {
  if (instruction.devices.length > 0) throw notImplemented('RUN --device is not implemented');
  const insecure = instruction.security === 'insecure';
  if (insecure) require(scope, 'security.insecure');
  const network = networkOf(instruction, scope);
  if (network.kind === 'host') require(scope, 'network.host');
  const { config, variables } = state;
  const mounts = await Promise.all(
    readMounts(instruction, variables, scope.expand).map((mount, index) =>
      planMount(mount, { state, scope, index }),
    ),
  );
  const script = runScript(instruction);
  const shell = config.Shell ?? defaultShell;
  const files: MountPlan[] =
    script.kind === 'file'
      ? [{ kind: 'file', target: `/dev/pipes/${script.name}`, content: script.content, mode: 0o755 }]
      : [];
  const args =
    script.kind === 'exec'
      ? script.words
      : script.kind === 'shell'
        ? [...shell, script.script]
        : [`/dev/pipes/${script.name}`];
  return {
    run: {
      args,
      env: [...variables].map(([name, value]) => `${name}=${value}`),
      cwd: posix.resolve('/', config.WorkingDir ?? ''),
      user: config.User ?? '',
      network,
      insecure,
    },
    mounts: [...mounts, ...files],
    shown: historyText(state, args),
  };
}

/** History tells the arguments that the command could see. */
function historyText({ args: declared, variables }: StageState, args: readonly string[]): string {
  const known = [...declared.keys()].map((name) => `${name}=${variables.get(name) ?? ''}`);
  const prefix = known.length === 0 ? [] : [`|${known.length}`, ...known];
  return `RUN ${[...prefix, ...args].join(' ')} # buildkit`;
}

function require({ request }: RunScope, entitlement: 'network.host' | 'security.insecure'): void {
  if (!request.entitlements.has(entitlement)) throw forbidden(`${entitlement} is not allowed`);
}

function networkOf({ network }: RunInstruction, { request }: RunScope): RunNetwork {
  if (network === 'default') return request.run.network;
  if (network === 'none' || network === 'host') return { kind: network };
  return { kind: 'named', name: network };
}

async function planMount(
  mount: Mount,
  { state, scope, index }: { state: StageState; scope: RunScope; index: number },
): Promise<MountPlan> {
  const owner = { uid: mount.uid ?? 0, gid: mount.gid ?? 0 };
  switch (mount.type) {
    case 'bind': {
      const path = mount.source ?? '';
      const target = targetOf(mount, state);
      const from = await scope.tree(mount.from, path, target);
      return { kind: 'bind', target, from, path, writable: !mount.readOnly };
    }
    case 'cache': {
      const target = targetOf(mount, state);
      const path = mount.source ?? '';
      const from = mount.from === undefined ? undefined : await scope.tree(mount.from, path, target);
      const namespace = scope.cacheNamespace === '' ? '' : `${scope.cacheNamespace}/`;
      return {
        kind: 'cache',
        target,
        id: `${namespace}${given(mount.id) ?? posix.normalize(mount.target ?? '')}`,
        sharing: mount.sharing ?? 'shared',
        from,
        path,
        readonly: mount.readOnly,
        mode: mount.mode ?? 0o755,
        ...owner,
      };
    }
    case 'tmpfs':
      return { kind: 'tmpfs', target: targetOf(mount, state), size: mount.size };
    case 'secret': {
      const id = given(mount.source) ?? given(mount.id) ?? posix.basename(mount.target ?? '');
      const named = given(mount.target);
      const wanted = named ?? (mount.env === undefined ? `/run/secrets/${posix.basename(id)}` : undefined);
      return {
        kind: 'secret',
        id,
        target: wanted === undefined ? undefined : absolute(wanted, state),
        variable: mount.env,
        required: mount.required,
        mode: mount.mode ?? 0o400,
        ...owner,
      };
    }
    case 'ssh': {
      const target = given(mount.target) ?? `/run/buildkit/ssh_agent.${index}`;
      const id = given(mount.id) ?? 'default';
      const access = { mode: mount.mode ?? 0o600, ...owner };
      return { kind: 'ssh', id, target: absolute(target, state), required: mount.required, ...access };
    }
    default:
      return mount.type satisfies never;
  }
}

function given(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function targetOf({ target, type }: Mount, state: StageState): string {
  if (target === undefined || target === '') throw invalid(`${type} mount requires a target`);
  const path = absolute(target, state);
  if (path === '/') throw invalid(`invalid mount target ${JSON.stringify(target)}`);
  return path;
}

function absolute(path: string, { config }: StageState): string {
  return posix.resolve('/', config.WorkingDir ?? '/', path);
}
