import type { IncomingMessage } from 'node:http';
import type { Access, Decision, User, Wanted } from '../access.ts';

/** Access that a reload of the configuration exchanges. */
export class SwitchableAccess implements Access {
  #inner: Access;

  constructor(inner: Access) {
    this.#inner = inner;
  }

  /** Requests from now on are identified and decided on by `inner`. */
  exchange(inner: Access): void {
    this.#inner = inner;
  }

  identify(request: IncomingMessage): Promise<User | undefined> {
    return this.#inner.identify(request);
  }

  decide(user: User | undefined, wanted: Wanted): Decision {
    return this.#inner.decide(user, wanted);
  }
}
