import type { IncomingMessage } from 'node:http';
import type { Access, Decision, User, Wanted } from '../access.ts';
import { RegistryError, tooManyRequests } from '../errors.ts';
import { type Rate, Rates } from './rates.ts';

/**
 * Access with a rate of requests for each client: for each user, and for each address of somebody unknown. Wrong
 * credentials count for the address that they come from, and are not even looked at when it has no more requests, so
 * that passwords cannot be guessed faster than that.
 */
export class LimitedAccess implements Access {
  readonly #inner: Access;
  readonly #rates: Rates;

  constructor(inner: Access, rate: Rate) {
    this.#inner = inner;
    this.#rates = new Rates(rate);
  }

  async identify(request: IncomingMessage): Promise<User | undefined> {
    const address = `address ${networkOf(request.socket.remoteAddress ?? '')}`;
    if (request.headers.authorization !== undefined) refuseIf(this.#rates.wait(address));
    let user: User | undefined;
    try {
      user = await this.#inner.identify(request);
    } catch (error) {
      if (error instanceof RegistryError && error.status === 401) refuseIf(this.#rates.take(address));
      throw error;
    }
    const isKnown = user !== undefined && user.name !== '';
    refuseIf(this.#rates.take(isKnown ? `user ${user?.name}` : address));
    return user;
  }

  decide(user: User | undefined, wanted: Wanted): Decision {
    return this.#inner.decide(user, wanted);
  }
}

function refuseIf(seconds: number): void {
  if (seconds > 0) {
    throw tooManyRequests('too many requests from this client; wait and try again', seconds);
  }
}

/** The address, or for IPv6 the /64 that it is in: whoever has one has all of them (RFC 6177). */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(':')) return address;
  const [left = '', right] = address.toLowerCase().replace(/%.*$/, '').split('::');
  const groups = left === '' ? [] : left.split(':');
  if (right !== undefined) {
    const behind = right === '' ? [] : right.split(':');
    while (groups.length + behind.length < 8) groups.push('0');
    groups.push(...behind);
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}
