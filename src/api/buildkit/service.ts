import type { Duplex } from 'node:stream';
import type { Logger } from '#/base/log.ts';
import type { BuildHistory } from '#/builder/history/build-history.ts';
import type { BuilderBackend } from '../backend.ts';
import { Builds } from './control/builds.ts';
import { controlHandlers } from './control/control.ts';
import { gatewayHandlers } from './control/gateway.ts';
import { type ContextInput, sessionContexts } from './control/session-contexts.ts';
import { WorkerInfo, type WorkerParts } from './control/workers.ts';
import type { TreeStore } from './filesync/file-sync.ts';
import { GrpcServer, type ServerCall } from './grpc/server.ts';
import { contentHandlers } from './history/content.ts';
import { History } from './history/history.ts';
import { type SessionHead, sessionHead, sessionHeaders } from './session/head.ts';
import { ClientSession } from './session/session.ts';
import { Sessions } from './session/sessions.ts';
import { type Piece, Tunnel } from './session/tunnel.ts';
import type { Archives } from './session/upload.ts';
import { Uploads } from './uploads.ts';

/** What BuildKit's API stands on. */
export interface BuildKitParts {
  readonly builder: BuilderBackend;
  readonly history: BuildHistory;
  readonly worker: WorkerParts;
  /** Where trees go that clients send. */
  readonly trees: TreeStore;
  readonly archives: Archives;
  readonly log: Logger;
}

/** BuildKit's API, with all that it needs loaded. */
export class BuildKitService {
  readonly sessions: Sessions = new Sessions();
  readonly uploads: Uploads = new Uploads();
  /** Where the files of a build come from that the client of a session has, or that are somewhere else. */
  readonly contextsOf: (
    input: ContextInput,
    stack: AsyncDisposableStack,
  ) => ReturnType<typeof sessionContexts>;
  readonly builds: Builds;
  readonly #server: GrpcServer;

  constructor({ builder, history: kept, worker: workerParts, trees, archives, log }: BuildKitParts) {
    const { sessions } = this;
    this.contextsOf = (input, stack) => sessionContexts(input, { builder, trees, sessions, archives, stack });
    const history = new History({ kept, log });
    const worker = new WorkerInfo(workerParts);
    this.builds = new Builds({ builder, history, contexts: this.contextsOf });
    this.#server = new GrpcServer(
      [
        ...controlHandlers({
          builds: this.builds,
          builder,
          history,
          sessions,
          worker,
          tunnel: (incoming, call) => this.#tunnel(incoming, call),
        }),
        ...gatewayHandlers(this.builds, worker),
        ...contentHandlers(history),
      ],
      log,
    );
  }

  /** Answers on a connection until it closes. */
  async serveGrpc(connection: Duplex, options: { signal: AbortSignal }): Promise<void> {
    await this.#server.serve(connection, options);
  }

  /** A session whose connection is a call on another connection. */
  async *#tunnel(incoming: AsyncIterable<Piece>, call: ServerCall): AsyncGenerator<Piece> {
    const head = sessionHead(headersOf(call));
    this.sessions.check(head.id);
    const tunnel = new Tunnel(incoming);
    const kept = this.keepSession(head, { connection: tunnel, signal: call.signal });
    yield* tunnel.outgoing();
    await kept;
  }

  /** Keeps a session until its connection closes. */
  async keepSession(head: SessionHead, { connection, signal }: Session): Promise<void> {
    const session = new ClientSession(head, connection);
    using _known = this.sessions.add(session);
    await session.rpc.closed({ signal });
  }
}

interface Session {
  readonly connection: Duplex;
  readonly signal: AbortSignal;
}

/** The headers of a session as the metadata of a call has them. */
function headersOf(call: ServerCall): Record<string, string[]> {
  return Object.fromEntries(sessionHeaders.map((name) => [name, call.metadata(name)?.split(/,\s*/) ?? []]));
}
