import type { Call } from '../call.ts';
import { tooManyRequests } from '../errors.ts';

/** Seconds after which a client may try again. */
const retryAfter = 2;

/** Bounds how many requests bring content at the same time, so that slow clients cannot use up memory and descriptors. */
export class UploadLimit {
  readonly #most: number;
  #active = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Uploads under way. */
  get active(): number {
    return this.#active;
  }

  /** Counts the call if it is an upload. Throws TOOMANYREQUESTS. */
  admit(call: Call): void {
    if (!isUpload(call)) return;
    if (this.#active >= this.#most) {
      throw tooManyRequests(`${this.#most} uploads are under way already; try again`, retryAfter);
    }
    this.#active += 1;
    call.response.once('close', () => {
      this.#active -= 1;
    });
  }
}

function isUpload({ method, path }: Call): boolean {
  return (method === 'PATCH' || method === 'PUT' || method === 'POST') && path.includes('/blobs/uploads/');
}
