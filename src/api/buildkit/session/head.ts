import type { IncomingHttpHeaders } from 'node:http';
import { invalid } from '#/base/errors.ts';

/** What a client says of its session in the headers of the request. */
export interface SessionHead {
  readonly id: string;
  /** Names what the files of the client have in common with those of its earlier sessions; empty: nothing is known. */
  readonly sharedKey: string;
  /** Paths of the methods that the client answers, in lower case. */
  readonly methods: ReadonlySet<string>;
}

const idHeader = 'x-docker-expose-session-uuid';
const keyHeader = 'x-docker-expose-session-sharedkey';
const methodHeader = 'x-docker-expose-session-grpc-method';

/** The headers that say what a session is. */
export const sessionHeaders: readonly string[] = [idHeader, keyHeader, methodHeader];

/** Reads `X-Docker-Expose-Session-…`. */
export function sessionHead(headers: NodeJS.Dict<string[]>): SessionHead {
  const [id = ''] = headers[idHeader] ?? [];
  if (!/^[\w.-]{1,128}$/.test(id))
    throw invalid(`Cannot begin a session: ${JSON.stringify(id)} is not an id of one`);
  const [sharedKey = ''] = headers[keyHeader] ?? [];
  const methods = headers[methodHeader] ?? [];
  return { id, sharedKey, methods: new Set(methods.map((method) => method.toLowerCase())) };
}

/** Refuses what is no request to speak HTTP/2 on the connection. */
export function requireH2c({ upgrade }: IncomingHttpHeaders): void {
  if (upgrade === undefined) throw invalid('no upgrade proto in request');
  if (upgrade.toLowerCase() !== 'h2c') throw invalid(`protocol ${upgrade} not supported`);
}
