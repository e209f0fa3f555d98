import type { Duplex } from 'node:stream';
import type { Logger } from '#/base/log.ts';
import type { BuilderBackend } from '../backend.ts';
import { Builds } from './control/builds.ts';
import { controlHandlers } from './control/control.ts';
import { gatewayHandlers } from './control/gateway.ts';
import { History } from './control/history.ts';
import { sessionContexts } from './control/session-contexts.ts';
import { WorkerInfo, type WorkerParts } from './control/workers.ts';
import type { TreeStore } from './filesync/file-sync.ts';
import { GrpcServer } from './grpc/server.ts';
import type { SessionHead } from './session/head.ts';
import { ClientSession } from './session/session.ts';
import { Sessions } from './session/sessions.ts';

/** What BuildKit's API stands on. */
export interface BuildKitParts {
  readonly builder: BuilderBackend;
  readonly worker: WorkerParts;
  /** Where trees go that clients send. */
  readonly trees: TreeStore;
  readonly log: Logger;
}

/** BuildKit's API, with all that it needs loaded. */
export class BuildKitService {
  readonly sessions: Sessions = new Sessions();
  readonly builds: Builds;
  readonly #server: GrpcServer;

  constructor({ builder, worker: workerParts, trees, log }: BuildKitParts) {
    const history = new History();
    const worker = new WorkerInfo(workerParts);
    this.builds = new Builds({ builder, history, contexts: (input) => sessionContexts(input, trees) });
    this.#server = new GrpcServer(
      [
        ...controlHandlers({ builds: this.builds, builder, history, sessions: this.sessions, worker }),
        ...gatewayHandlers(this.builds, worker),
      ],
      log,
    );
  }

  /** Answers on a connection until it closes. */
  async serveGrpc(connection: Duplex, options: { signal: AbortSignal }): Promise<void> {
    await this.#server.serve(connection, options);
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
