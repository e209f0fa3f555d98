import { closeSync, openSync } from 'node:fs';
import { conflict, type EngineError, internal, isSystemError } from '#/base/errors.ts';
import { isAlive as isProcessAlive } from '#/kernel/proc.ts';
import type { ProcessRef } from '#/runtime/exit-watcher.ts';
import type { NamespaceInput, NamespacesInput, ShmInput } from '#/runtime/spec/input.ts';
import { type ContainerRecord, isAlive } from './model.ts';
import type { ContainerParts } from './parts.ts';

/** The namespaces of a run. Those of others stay open until it is disposed of, which must not be before the run is created. */
export interface RunNamespaces extends Disposable {
  readonly input: NamespacesInput;
}

/** Which namespaces a run gets: fresh ones, the host's, or those of another container that runs. */
export function namespacesOf(
  parts: ContainerParts,
  { spec }: ContainerRecord,
  network: NamespaceInput,
): RunNamespaces {
  using stack = new DisposableStack();
  const { PidMode, IpcMode, UTSMode, CgroupnsMode } = spec.hostConfig;
  const input: NamespacesInput = {
    network,
    pid: namespaceOf(parts, PidMode, { kind: 'pid', stack }),
    ipc: namespaceOf(parts, IpcMode, { kind: 'ipc', stack }),
    uts:
      UTSMode === 'host'
        ? 'host'
        : spec.hostConfig.NetworkMode === 'host' && spec.config.Hostname === ''
          ? 'host'
          : 'new',
    cgroup: CgroupnsMode === 'host' ? 'host' : 'new',
  };
  const opened = stack.move();
  return { input, [Symbol.dispose]: () => opened.dispose() };
}

function namespaceOf(
  parts: ContainerParts,
  mode: string,
  { kind, stack }: { readonly kind: 'pid' | 'ipc'; readonly stack: DisposableStack },
): NamespaceInput {
  if (mode === 'host') return 'host';
  if (!mode.startsWith('container:')) return 'new';
  const { record, init } = runningPeer(parts, mode, kind);
  const fd = openNamespace(init, kind);
  if (fd === undefined) throw notRunningPeer(record, kind);
  stack.defer(() => closeSync(fd));
  // By its number alone another process's namespace could be meant when the runtime gets there.
  return { path: `/proc/${process.pid}/fd/${fd}` };
}

/** A descriptor of a namespace of the process; undefined if that has ended. */
function openNamespace({ pid, startTime }: ProcessRef, kind: 'pid' | 'ipc'): number | undefined {
  let fd: number;
  try {
    fd = openSync(`/proc/${pid}/ns/${kind}`, 'r');
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
  if (isProcessAlive(pid, startTime)) return fd;
  closeSync(fd);
  return undefined;
}

/** The other container of a `container:NAME` mode; it must run. */
function runningPeer(
  parts: ContainerParts,
  mode: string,
  kind: 'pid' | 'ipc',
): { record: ContainerRecord; init: ProcessRef } {
  const record = parts.store.find(mode.slice('container:'.length));
  if (!isAlive(record.state)) throw notRunningPeer(record, kind);
  return { record, init: record.state.init };
}

/** Docker's words and statuses, which differ. */
function notRunningPeer({ id }: ContainerRecord, kind: 'pid' | 'ipc'): EngineError {
  const message = `failed to join ${kind.toUpperCase()} namespace: container ${id} is not running`;
  return kind === 'pid' ? internal(message) : conflict(message);
}

/**
 * Where /dev/shm comes from. A shareable one is mounted on the host's side, in the run's folder, so that others can
 * bind it; a private one exists in the container only.
 */
export function shmOf(parts: ContainerParts, { id, spec }: ContainerRecord): ShmInput {
  const { IpcMode: mode, ShmSize: size } = spec.hostConfig;
  if (mode === 'none') return { kind: 'none' };
  if (mode === 'host') return { kind: 'bind', source: '/dev/shm' };
  if (mode === 'shareable') return { kind: 'bind', source: parts.shm.make(id, size) };
  if (!mode.startsWith('container:')) return { kind: 'new', size };
  const { record } = runningPeer(parts, mode, 'ipc');
  const peerMode = record.spec.hostConfig.IpcMode;
  if (peerMode === 'host') return { kind: 'bind', source: '/dev/shm' };
  if (peerMode.startsWith('container:')) return shmOf(parts, record);
  if (peerMode !== 'shareable') {
    throw internal(
      `cannot join IPC of a container ${record.id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
    );
  }
  return { kind: 'bind', source: parts.shm.pathOf(record.id) };
}
