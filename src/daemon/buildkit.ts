import type { BuilderBackend, ClientBuilds } from '#/api/backend.ts';
import { BuildKit } from '#/api/buildkit/buildkit.ts';
import type { Logger } from '#/base/log.ts';
import { skiffVersion } from '#/base/version.ts';
import type { ContextStore } from '#/builder/context/context-store.ts';
import { BuildHistory } from '#/builder/history/build-history.ts';
import { emulatedArchitectures } from '#/kernel/binfmt.ts';
import { formatIpv4 } from '#/network/address.ts';
import type { Networks } from '#/network/networks.ts';
import { hostPlatform, normalizePlatform, type Platform } from '#/oci/platform.ts';
import type { Database } from '#/state/db.ts';

/** What BuildKit's API is opened with. */
interface BuildKitInput {
  /** The daemon's id. */
  readonly id: string;
  readonly builder: BuilderBackend;
  readonly db: Database;
  readonly builds: Pick<ClientBuilds, 'archives'>;
  readonly networks: Networks;
  readonly trees: ContextStore;
  readonly log: Logger;
}

/** BuildKit's API in front of the builder. */
export function openBuildKit({ id, builder, db, builds, networks, trees, log }: BuildKitInput): BuildKit {
  return new BuildKit({
    builder,
    history: new BuildHistory(db),
    worker: {
      id,
      version: skiffVersion,
      budget: () => builder.budget,
      platforms: () => [hostPlatform(), ...emulated()],
      hostGateway: () => {
        const gateway = networks.list().find(({ name }) => name === 'bridge')?.bridge?.gateway;
        return gateway === undefined ? undefined : formatIpv4(gateway);
      },
    },
    trees,
    archives: builds.archives,
    log,
  });
}

/** Platforms whose programs run here under an emulator. */
function emulated(): Platform[] {
  const own = hostPlatform();
  return emulatedArchitectures()
    .filter((architecture) => architecture !== own.architecture)
    .map((architecture) => normalizePlatform({ os: 'linux', architecture, variant: '', osVersion: '' }));
}
