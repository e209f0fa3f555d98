import { invalid, isKind, notFound } from '#/base/errors.ts';
import { pullFailure } from '#/distribution/failures.ts';
import type { RegistryClient } from '#/distribution/registry-client.ts';
import type { Digest } from '#/oci/digest.ts';
import { formatPlatform, hostPlatform, type Platform, platformRank } from '#/oci/platform.ts';
import { parseAnyReference, type Reference, withDefaultTag } from '#/oci/reference.ts';
import type { OnProgress } from '#/registry/client/progress.ts';
import { type PullParts, pullImage } from '#/registry/client/pull.ts';
import type { ImageRecord, NamedImage } from '#/storage/images/record.ts';
import type { StatusSink } from '../progress.ts';
import type { AuthSource } from '../request.ts';
import { imageFromLayout, type LayoutWish } from './oci-layout.ts';

/** How an image is looked for. */
export interface BaseRequest {
  readonly platform: Platform;
  /** Asks the registry also for what is here. */
  readonly pull: boolean;
  readonly auth: AuthSource;
  readonly signal: AbortSignal;
  readonly progress: StatusSink;
}

/** Images that builds begin with: those in the store, and those that registries have. */
export class BaseImages {
  readonly #parts: PullParts;
  readonly #client: () => RegistryClient;

  /** `client` is asked each time: a reload of the configuration makes another one. */
  constructor(parts: PullParts, client: () => RegistryClient) {
    this.#parts = parts;
    this.#client = client;
  }

  /** The image that a name or identifier means for a platform. Throws `notFound` and what registries answer. */
  async resolve(name: string, request: BaseRequest): Promise<ImageRecord> {
    const meaning = parseAnyReference(name);
    if (typeof meaning === 'string') {
      const named = this.#parts.images.named(meaning);
      const found = named === undefined ? this.#byManifest(meaning) : this.#within(named, request.platform);
      if (found !== undefined) return found;
      const what = named === undefined ? name : `${name} for ${formatPlatform(request.platform)}`;
      throw notFound(`No such image: ${what}`);
    }
    const reference = withDefaultTag(meaning);
    const here = this.#here(reference, request.platform);
    return here === undefined || request.pull ? this.#pull(reference, request) : here;
  }

  /** What a name means for a platform among the images in the store; undefined if there is none, or for what is no name. */
  known(name: string, platform: Platform): ImageRecord | undefined {
    try {
      const meaning = parseAnyReference(name);
      return typeof meaning === 'string' ? undefined : this.#here(withDefaultTag(meaning), platform);
    } catch (error) {
      if (isKind(error, 'invalid')) return undefined;
      throw error;
    }
  }

  #here(reference: Reference, platform: Platform): ImageRecord | undefined {
    const named = this.#parts.images.byName(reference);
    const here = named === undefined ? undefined : this.#within(named, platform);
    return here !== undefined && isFor(here, platform) ? here : undefined;
  }

  /** An image from an OCI layout that a client has; see `imageFromLayout`. */
  fromLayout(root: string, wish: LayoutWish): Promise<ImageRecord> {
    return imageFromLayout(this.#parts, root, wish);
  }

  /** The image that is meant: of an index, the one for the platform, if it has one. */
  #within({ image, index }: NamedImage, platform: Platform): ImageRecord | undefined {
    return index === undefined ? image : this.#parts.images.within(index, platform);
  }

  #byManifest(digest: Digest): ImageRecord | undefined {
    const { images } = this.#parts;
    const own = images.list().find(({ manifest }) => manifest === digest);
    if (own !== undefined) return own;
    const listed = images.all().map(({ index }) => index?.images.get(digest));
    return listed.flatMap((id) => (id === undefined ? [] : (images.get(id) ?? [])))[0];
  }

  async #pull(reference: Reference, { platform, auth, signal, progress }: BaseRequest): Promise<ImageRecord> {
    const credentials = await auth.credentials(reference.domain, { signal });
    const repository = this.#client().repository(reference, { credentials, actions: 'pull' });
    const onProgress = statusOf(progress);
    let image: ImageRecord;
    try {
      // Names mean images for this machine: one for another does not take them away.
      const named = platformRank(hostPlatform(), platform) > 0;
      const request = { repository, reference, platform, named, signal, onProgress };
      ({ image } = await pullImage(this.#parts, request));
    } catch (error) {
      throw pullFailure(error, reference);
    }
    if (!isFor(image, platform)) {
      const { os, architecture, variant } = image.config;
      const own = formatPlatform({ os, architecture, variant, osVersion: '' });
      throw invalid(`the image is for ${own}, not for ${formatPlatform(platform)}`);
    }
    return image;
  }
}

/** Old images do not tell what they are for. */
function isFor({ config }: ImageRecord, platform: Platform): boolean {
  const { os, architecture, variant, osVersion } = config;
  if (os === '' || architecture === '') return true;
  return platformRank(platform, { os, architecture, variant, osVersion }) > 0;
}

function statusOf(progress: StatusSink): OnProgress {
  const started = new Map<string, Date>();
  return (event) => {
    if (event.kind !== 'bytes') return;
    const { status, current, total } = event;
    const id = status === 'Extracting' ? `extracting ${event.id}` : event.id;
    const begun = started.get(id) ?? new Date();
    started.set(id, begun);
    const isDone = total > 0 && current >= total;
    progress({ id, current, total, started: begun, ...(isDone && { completed: new Date() }) });
  };
}
