import { RegistryClient } from '#/distribution/registry-client.ts';
import type { Repository } from '#/distribution/repository.ts';
import { parseReference } from '#/oci/reference.ts';
import { BlobSources } from '#/registry/client/blob-sources.ts';
import { Downloads } from '#/registry/client/downloads.ts';
import type { TransferProgress } from '#/registry/client/progress.ts';
import { type PulledImage, type PullParts, pullImage } from '#/registry/client/pull.ts';
import { type ImagePush, type PushParts, pushImage, pushIndex } from '#/registry/client/push.ts';
import { Slots } from '#/registry/client/slots.ts';
import { KeptBlobs } from '#/storage/content/kept-blobs.ts';
import type { ImageParts, IndexRecord } from '#/storage/images/record.ts';
import type { ImageScratch } from './images.ts';

/** What a test may say about a pull. */
interface PullWish {
  /** `os/architecture[/variant]` taken apart. */
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant: string };
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TransferProgress) => void;
}

/** Pulls and pushes with a store of its own, as the daemon does. */
export class Transfers {
  readonly parts: PullParts & PushParts;
  readonly #client: RegistryClient;

  /** `images` is the store, opened again or not; `downloads` bounds how many run at once. */
  constructor(
    scratch: Pick<ImageScratch, 'db'>,
    images: ImageParts,
    { downloads = 3, client = testClient() }: { downloads?: number; client?: RegistryClient } = {},
  ) {
    const { content, layers, archives, images: store } = images;
    this.#client = client;
    this.parts = {
      content,
      layers,
      archives,
      images: store,
      sources: new BlobSources(scratch.db),
      kept: new KeptBlobs(scratch.db),
      downloads: new Downloads({ content, slots: new Slots(() => downloads) }),
      uploads: new Slots(() => 5),
    };
  }

  /** Pulls by a name such as `127.0.0.1:5000/team/app:1`. */
  pull(name: string, wish: PullWish = {}): Promise<PulledImage> {
    const { platform, signal = new AbortController().signal, onProgress = () => {} } = wish;
    return pullImage(this.parts, {
      repository: this.repository(name),
      reference: parseReference(name),
      platform: platform === undefined ? undefined : { ...platform, osVersion: '' },
      onProgress,
      signal,
    });
  }

  /** Pushes an image under a name with a tag. */
  push(
    id: string,
    name: string,
    onProgress: (progress: TransferProgress) => void = () => {},
  ): Promise<string> {
    const image = this.parts.images.get(id);
    if (image === undefined) throw new Error(`cannot push ${id} as ${name}`);
    const { manifest } = image;
    return pushImage(this.parts, { ...this.#target(name, onProgress), image, manifest });
  }

  /** Pushes an index under a name with a tag. */
  pushIndex(
    index: IndexRecord,
    name: string,
    onProgress: (progress: TransferProgress) => void = () => {},
  ): Promise<string> {
    return pushIndex(this.parts, { ...this.#target(name, onProgress), index });
  }

  #target(
    name: string,
    onProgress: (progress: TransferProgress) => void,
  ): Omit<ImagePush, 'image' | 'manifest'> {
    const reference = parseReference(name);
    const { tag = 'latest' } = reference;
    const { signal } = new AbortController();
    return { repository: this.repository(name), name: reference, tag, onProgress, signal };
  }

  repository(name: string): Repository {
    return this.#client.repository(parseReference(name), {
      credentials: { kind: 'anonymous' },
      actions: 'pull,push',
    });
  }
}

/** The words of some progress, without numbers: `Pull complete abc`. */
export function wordsOf(progress: readonly TransferProgress[]): string[] {
  return progress.flatMap((item) => {
    if (item.kind === 'note') return item.status;
    return item.kind === 'stage' ? `${item.status} ${item.id}` : [];
  });
}

export function testClient(): RegistryClient {
  return new RegistryClient({
    hosts: { mirrors: [], routes: {}, insecure: [], certificateDirectories: [] },
    userAgent: 'test',
    maxAttempts: 2,
    retryDelay: 10,
  });
}
