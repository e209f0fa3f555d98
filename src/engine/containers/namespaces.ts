import { conflict, internal } from '#/base/errors.ts';
import type { NamespaceInput, NamespacesInput, ShmInput } from '#/runtime/spec/input.ts';
import { type ContainerRecord, isAlive } from './model.ts';
import type { ContainerParts } from './parts.ts';

/** Which namespaces a run gets: fresh ones, the host's, or those of another container that runs. */
export function namespacesOf(
  parts: ContainerParts,
  { spec }: ContainerRecord,
  network: NamespaceInput,
): NamespacesInput {
  const { PidMode, IpcMode, UTSMode, CgroupnsMode } = spec.hostConfig;
  return {
    network,
    pid: namespaceOf(parts, PidMode, 'pid'),
    ipc: namespaceOf(parts, IpcMode, 'ipc'),
    uts:
      UTSMode === 'host'
        ? 'host'
        : spec.hostConfig.NetworkMode === 'host' && spec.config.Hostname === ''
          ? 'host'
          : 'new',
    cgroup: CgroupnsMode === 'host' ? 'host' : 'new',
  };
}

function namespaceOf(parts: ContainerParts, mode: string, kind: 'pid' | 'ipc'): NamespaceInput {
  if (mode === 'host') return 'host';
  if (!mode.startsWith('container:')) return 'new';
  return { path: `/proc/${runningPeer(parts, mode).pid}/ns/${kind}` };
}

/** The other container of a `container:NAME` mode; it must run. */
function runningPeer(parts: ContainerParts, mode: string): { record: ContainerRecord; pid: number } {
  const record = parts.store.find(mode.slice('container:'.length));
  if (!isAlive(record.state))
    throw conflict(`cannot join namespace of a non running container: ${record.id}`);
  return { record, pid: record.state.init.pid };
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
  const { record } = runningPeer(parts, mode);
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
