import type { Digest } from '#/oci/digest.ts';
import type { Metadata } from './metadata/metadata.ts';

/** Renewals that are remembered; forgotten ones are made again. */
const maxRemembered = 20_000;

/**
 * Renews the leases of content on which somebody who may push has looked, but not at every look: what was renewed within the last
 * `interval` milliseconds is left alone. The grace period of the garbage collection is several times longer.
 */
export class Leases {
  readonly #metadata: Metadata;
  readonly #interval: number;
  /** Time of the last renewal by repository and digest, in the order of these times. */
  readonly #renewed = new Map<string, number>();

  constructor(metadata: Metadata, { interval }: { readonly interval: number }) {
    this.#metadata = metadata;
    this.#interval = interval;
  }

  /** A look at a blob. */
  async blob(repository: string, digest: Digest): Promise<void> {
    if (this.#isDue(`${repository}@${digest}`)) await this.#metadata.links.touch(repository, digest);
  }

  /** A look at a manifest. */
  async manifest(repository: string, digest: Digest): Promise<void> {
    if (this.#isDue(`${repository}:${digest}`)) await this.#metadata.manifests.touch(repository, digest);
  }

  #isDue(key: string): boolean {
    const now = performance.now();
    const last = this.#renewed.get(key);
    if (last !== undefined && now - last < this.#interval) return false;
    this.#renewed.delete(key);
    this.#renewed.set(key, now);
    if (this.#renewed.size > maxRemembered) {
      const [oldest = key] = this.#renewed.keys();
      this.#renewed.delete(oldest);
    }
    return true;
  }
}
