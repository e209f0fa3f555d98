import { RegistryClient } from '#/distribution/registry-client.ts';
import type { Events } from '#/engine/events.ts';
import { Registries } from '#/engine/registries.ts';
import { BlobSources } from '#/registry/client/blob-sources.ts';
import { Downloads } from '#/registry/client/downloads.ts';
import type { PullParts } from '#/registry/client/pull.ts';
import { Slots } from '#/registry/client/slots.ts';
import type { Database } from '#/state/db.ts';
import { KeptBlobs } from '#/storage/content/kept-blobs.ts';
import type { ImageParts } from '#/storage/images/record.ts';
import type { Config } from './options.ts';
import { clientOptions } from './registry-settings.ts';

/** What goes between the daemon and registries, by the settings that are in force at each request. */
export interface RegistryAccess {
  readonly registries: Registries;
  /** For others who pull: downloads are shared and bounded together. */
  readonly pull: PullParts;
  readonly uploads: Slots;
  readonly client: () => RegistryClient;
}

/** Makes what goes between the daemon and registries. */
export function openRegistries(
  imageParts: ImageParts,
  { db, events, settings }: { db: Database; events: Events; settings: () => Config },
): RegistryAccess {
  let made: { readonly config: Config; readonly client: RegistryClient } | undefined;
  const client = (): RegistryClient => {
    const config = settings();
    // A reload replaces the configuration as a whole.
    if (made?.config !== config) made = { config, client: new RegistryClient(clientOptions(config)) };
    return made.client;
  };
  const pull: PullParts = {
    ...imageParts,
    sources: new BlobSources(db),
    kept: new KeptBlobs(db),
    downloads: new Downloads({
      content: imageParts.content,
      slots: new Slots(() => settings().maxConcurrentDownloads),
    }),
  };
  const uploads = new Slots(() => settings().maxConcurrentUploads);
  return { registries: new Registries({ ...pull, uploads, events, client }), pull, uploads, client };
}
