import { conflict } from '#/base/errors.ts';
import { unlimitCpu, unlimitPids } from '#/kernel/cgroup/unlimit.ts';
import { ociResources } from '#/runtime/spec/resources.ts';
import type { HostConfig, Resources, RestartPolicy } from '#/wire/containers.ts';
import { attributesOf } from './attributes.ts';
import { discardUnsupported } from './discard-unsupported.ts';
import { type ContainerRecord, isAlive } from './model.ts';
import { type ContainerParts, cgroupOf, runtimeOf } from './parts.ts';
import { resourcesInput } from './spec-input.ts';
import { validateUpdate } from './validate.ts';

/** The limits that can change while a container runs. */
const changeable = [
  'CpuShares',
  'Memory',
  'NanoCpus',
  'BlkioWeight',
  'CpuPeriod',
  'CpuQuota',
  'CpuRealtimePeriod',
  'CpuRealtimeRuntime',
  'CpusetCpus',
  'CpusetMems',
  'MemoryReservation',
  'MemorySwap',
] as const;

/** Changes limits and restart policy, of a running container at once. Zero values leave things as they are. */
export async function updateContainer(
  parts: ContainerParts,
  ref: string,
  { resources, restartPolicy }: { resources: Resources; restartPolicy: RestartPolicy },
): Promise<string[]> {
  const { id } = parts.store.find(ref);
  using _held = await parts.locks.acquire(id);
  const record = parts.store.find(id);
  if (record.state.kind === 'removing' || record.state.kind === 'dead') {
    throw conflict(`Cannot update container ${id}: container is marked for removal and cannot be "update"`);
  }
  const before = record.spec.hostConfig;
  if (before.AutoRemove && !['', 'no'].includes(restartPolicy.Name)) {
    throw conflict(
      `Cannot update container ${id}: Restart policy cannot be updated because AutoRemove is enabled for the container`,
    );
  }
  const conflicting = conflictOf(before, resources);
  if (conflicting !== undefined) throw conflict(`Cannot update container ${id}: ${conflicting}`);
  const { host: hostConfig, warnings: discarded } = discardUnsupported(
    merged(before, resources, restartPolicy),
    parts.requestFacts.cgroups,
  );
  const warnings = [...discarded, ...validateUpdate(hostConfig, parts.requestFacts)];
  if (isAlive(record.state)) {
    await changeLimits(parts, record, hostConfig);
  }
  const updated = parts.store.update({ ...record, spec: { ...record.spec, hostConfig } });
  parts.events.publish({
    type: 'container',
    action: 'update',
    actor: { id, attributes: attributesOf(updated) },
  });
  return warnings;
}

/** Limits of a running container. crun has no way to say that one is to go: the kernel is told. */
async function changeLimits(
  parts: ContainerParts,
  record: ContainerRecord,
  hostConfig: HostConfig,
): Promise<void> {
  const { cpuQuota = 0, ...limits } = resourcesInput(hostConfig);
  const resources = ociResources({ ...limits, cpuQuota: Math.max(0, cpuQuota) }, parts.host.cgroupSupport);
  await runtimeOf(parts, record).oci.update(record.id, resources);
  const group = cgroupOf(parts, record);
  if (hostConfig.PidsLimit === 0) unlimitPids(parts.cgroups, group);
  if (cpuQuota < 0) unlimitCpu(parts.cgroups, group);
}

/** Docker's refusals of limits that make no sense beside those that the container has already. */
function conflictOf(before: HostConfig, changes: Resources): string | undefined {
  const cpus = (what: string, already: string): string =>
    `Conflicting options: ${what} cannot be updated as ${already} has already been set`;
  if (changes.NanoCpus > 0 && before.CpuPeriod > 0) return cpus('Nano CPUs', 'CPU Period');
  if (changes.NanoCpus > 0 && before.CpuQuota > 0) return cpus('Nano CPUs', 'CPU Quota');
  if (changes.CpuPeriod > 0 && before.NanoCpus > 0) return cpus('CPU Period', 'NanoCPUs');
  if (changes.CpuQuota > 0 && before.NanoCpus > 0) return cpus('CPU Quota', 'NanoCPUs');
  if (changes.Memory !== 0 && changes.MemorySwap === 0 && changes.Memory > before.MemorySwap) {
    return 'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time';
  }
  return undefined;
}

function merged(before: HostConfig, resources: Resources, policy: RestartPolicy): HostConfig {
  const given = changeable.filter(
    (key) => resources[key] !== 0 && resources[key] !== '' && resources[key] !== null,
  );
  const changes = Object.fromEntries(given.map((key) => [key, resources[key]]));
  return {
    ...before,
    ...changes,
    // Unlike other limits, this one goes with 0 and below.
    ...(resources.PidsLimit === null ? {} : { PidsLimit: Math.max(0, resources.PidsLimit) }),
    RestartPolicy: policy.Name === '' ? before.RestartPolicy : policy,
  };
}
