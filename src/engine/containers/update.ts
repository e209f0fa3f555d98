import { conflict, invalid } from '#/base/errors.ts';
import { ociResources } from '#/runtime/spec/resources.ts';
import type { HostConfig, Resources, RestartPolicy } from '#/wire/containers.ts';
import { attributesOf } from './attributes.ts';
import { isAlive } from './model.ts';
import { type ContainerParts, runtimeOf } from './parts.ts';
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
  'PidsLimit',
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
    throw invalid(
      `Cannot update container ${id}: Restart policy cannot be updated because AutoRemove is enabled for the container`,
    );
  }
  const hostConfig = merged(before, resources, restartPolicy);
  const warnings = validateUpdate(hostConfig, parts.requestFacts);
  if (isAlive(record.state)) {
    await runtimeOf(parts, record).oci.update(id, ociResources(resourcesInput(hostConfig), parts.host));
  }
  const updated = parts.store.update({ ...record, spec: { ...record.spec, hostConfig } });
  parts.events.publish({
    type: 'container',
    action: 'update',
    actor: { id, attributes: attributesOf(updated) },
  });
  return warnings;
}

function merged(before: HostConfig, resources: Resources, policy: RestartPolicy): HostConfig {
  const given = changeable.filter(
    (key) => resources[key] !== 0 && resources[key] !== '' && resources[key] !== null,
  );
  const changes = Object.fromEntries(given.map((key) => [key, resources[key]]));
  // A CPU limit in one form replaces one in the other.
  const cpus =
    resources.NanoCpus > 0
      ? { CpuQuota: 0, CpuPeriod: 0 }
      : resources.CpuQuota > 0 || resources.CpuPeriod > 0
        ? { NanoCpus: 0 }
        : {};
  return {
    ...before,
    ...cpus,
    ...changes,
    RestartPolicy: policy.Name === '' ? before.RestartPolicy : policy,
  };
}
