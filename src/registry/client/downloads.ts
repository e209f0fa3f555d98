import type { Descriptor } from '#/oci/descriptor.ts';
import type { Digest } from '#/oci/digest.ts';
import type { ContentStore } from '#/storage/content/content-store.ts';
import { Download, type DownloadEvents, type Origin } from './download.ts';
import type { Slots } from './slots.ts';

/** One pull's part in a download. Disposing of it leaves the download to those who still wait for it. */
export interface Share extends AsyncDisposable {
  readonly download: Download;
  /** Another pull began it, with its own credentials at its own registry. */
  readonly foreign: boolean;
}

/**
 * Downloads of blobs, each once however many pulls want it. A download goes on while anybody waits for it, whoever began
 * it. When it fails, or nobody waits any more, what has come stays in a partial blob, and the next one goes on from there.
 */
export class Downloads {
  readonly #content: ContentStore;
  readonly #slots: Slots;
  readonly #running = new Map<Digest, Download>();

  /** `slots` bounds how many run at once. */
  constructor({ content, slots }: { content: ContentStore; slots: Slots }) {
    this.#content = content;
    this.#slots = slots;
  }

  /** Begins to download the blob, or joins the download that runs. */
  async join(descriptor: Descriptor, origin: Origin, events: DownloadEvents): Promise<Share> {
    const { digest } = descriptor;
    for (
      let running = this.#running.get(digest);
      running !== undefined;
      running = this.#running.get(digest)
    ) {
      if (running.descriptor.size === descriptor.size && running.watch(events)) {
        return this.#share(running, events, true);
      }
      // It is ending, or was begun for a manifest that claims another size: only one of the two can be right.
      await running.ended;
    }
    const download = new Download(descriptor, { content: this.#content, slots: this.#slots, origin });
    this.#running.set(digest, download);
    download.watch(events);
    download.begin(() => this.#running.delete(digest));
    return this.#share(download, events, false);
  }

  async #share(download: Download, events: DownloadEvents, foreign: boolean): Promise<Share> {
    await download.opened;
    return { download, foreign, [Symbol.asyncDispose]: () => download.leave(events) };
  }
}
