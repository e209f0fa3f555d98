import { requireH2c, sessionHead } from '../buildkit/session/head.ts';
import type { Call, Route } from '../call.ts';
import { takeConnection } from '../hijack.ts';

const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n';

/** The client calls, the daemon answers. */
async function grpc(call: Call): Promise<void> {
  requireH2c(call.request.headers);
  const service = await call.engine.buildkit.service();
  const connection = takeConnection(call);
  connection.write(switching);
  await service.serveGrpc(connection, call);
}

/** The daemon calls, the client answers. */
async function session(call: Call): Promise<void> {
  requireH2c(call.request.headers);
  const head = sessionHead(call.request.headersDistinct);
  const service = await call.engine.buildkit.service();
  service.sessions.check(head.id);
  const connection = takeConnection(call);
  connection.write(switching);
  await service.keepSession(head, { connection, signal: call.signal });
}

/** Where clients of BuildKit take the connection over. */
export const buildkitRoutes: readonly Route[] = [
  ['POST', '/grpc', grpc],
  ['POST', '/session', session],
];
