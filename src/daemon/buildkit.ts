import { join } from 'node:path';
import type { BuilderBackend, ClientBuilds } from '#/api/backend.ts';
import { BuildKit } from '#/api/buildkit/buildkit.ts';
import type { Logger } from '#/base/log.ts';
import { skiffVersion } from '#/base/version.ts';
import { PlainTrees } from '#/builder/context/plain-trees.ts';
import { formatIpv4 } from '#/network/address.ts';
import type { Networks } from '#/network/networks.ts';
import { hostPlatform } from '#/oci/platform.ts';

/** What BuildKit's API is opened with. */
interface BuildKitInput {
  /** The daemon's id. */
  readonly id: string;
  readonly builder: BuilderBackend;
  readonly builds: Pick<ClientBuilds, 'archives'>;
  readonly networks: Networks;
  readonly dataRoot: string;
  readonly log: Logger;
}

/** BuildKit's API in front of the builder. */
export function openBuildKit({ id, builder, builds, networks, dataRoot, log }: BuildKitInput): BuildKit {
  return new BuildKit({
    builder,
    worker: {
      id,
      version: skiffVersion,
      platforms: [hostPlatform()],
      hostGateway: () => {
        const gateway = networks.list().find(({ name }) => name === 'bridge')?.bridge?.gateway;
        return gateway === undefined ? undefined : formatIpv4(gateway);
      },
    },
    trees: new PlainTrees(join(dataRoot, 'builder/trees')),
    archives: builds.archives,
    log,
  });
}
