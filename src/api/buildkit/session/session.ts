import type { Duplex } from 'node:stream';
import { GrpcClient } from '../grpc/client.ts';
import type { SessionHead } from './head.ts';

/** A client that answers questions while it builds: for files, credentials, secrets, agents. */
export class ClientSession {
  readonly head: SessionHead;
  readonly rpc: GrpcClient;

  constructor(head: SessionHead, connection: Duplex) {
    this.head = head;
    this.rpc = new GrpcClient(connection);
  }

  /** Tells whether the client answers a method, given as `/package.Service/Method`. */
  supports(path: string): boolean {
    return this.head.methods.has(path.toLowerCase());
  }
}
