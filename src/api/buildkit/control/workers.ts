import type { MessageInitShape } from '@bufbuild/protobuf';
import type { CacheBudget } from '#/builder/cache/record.ts';
import type { Platform } from '#/oci/platform.ts';
import type { GCPolicySchema, WorkerRecordSchema } from '../messages/worker_pb.ts';

/** Who carries builds out: this daemon, always the same one. */
export interface WorkerParts {
  /** The daemon's own. */
  readonly id: string;
  readonly version: string;
  /** What can be built for, the own platform first; emulators come and go. */
  readonly platforms: () => readonly Platform[];
  /** By what the cache is collected; undefined: it is not. */
  readonly budget: () => CacheBudget | undefined;
  /** The address that `host-gateway` stands for; undefined if there is none. */
  readonly hostGateway: () => string | undefined;
}

type Record = MessageInitShape<typeof WorkerRecordSchema>;

/** Tells clients of the worker. */
export class WorkerInfo {
  readonly #parts: WorkerParts;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
  }

  /** The worker as BuildKit describes one. */
  record(): Record {
    const { id, platforms, budget, hostGateway } = this.#parts;
    const gateway = hostGateway();
    return {
      id,
      labels: {
        // Clients take it for: cache export, several platforms, archives and pushes are the daemon's own work.
        'org.mobyproject.buildkit.worker.snapshotter': 'overlayfs',
        ...(gateway !== undefined && { 'org.mobyproject.buildkit.worker.moby.host-gateway-ip': gateway }),
      },
      platforms: platforms().map(({ os, architecture, variant }) => ({ os, architecture, variant })),
      gcPolicy: policyOf(budget()),
      buildkitVersion: this.version(),
    };
  }

  /** What clients show as the builder's version, and compare with BuildKit's. */
  version(): NonNullable<Record['buildkitVersion']> {
    return { package: 'skiff', version: `v0.25.0+skiff.${this.#parts.version}`, revision: '' };
  }
}

/** The rules of a collection: what has lain unused too long goes, then what is too much. */
function policyOf(budget: CacheBudget | undefined): MessageInitShape<typeof GCPolicySchema>[] {
  if (budget === undefined) return [];
  const { maxUsed, maxAge, reserved = 0, minFree = 0 } = budget;
  const space = {
    maxUsedSpace: BigInt(maxUsed),
    reservedSpace: BigInt(reserved),
    minFreeSpace: BigInt(minFree),
  };
  return [
    { all: true, keepDuration: BigInt(maxAge) * 1_000_000n },
    { all: true, ...space },
  ];
}
