import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { silentLogger } from '#/base/log.ts';
import { type Access, openAccess } from '#/registry/server/access.ts';
import { type Content, openBucketContent, openLocalContent } from '#/registry/server/content.ts';
import type { Fact } from '#/registry/server/observer.ts';
import { RegistryServer, type RegistryServerOptions } from '#/registry/server/server.ts';
import { buildServices, type Limits, type Services } from '#/registry/server/services.ts';
import { s3Config, startS3 } from './s3-server.ts';
import { scratchDir } from './scratch-dir.ts';

/** What a test may change of a registry. */
export interface TestRegistryOptions
  extends Partial<Pick<RegistryServerOptions, 'access' | 'routes' | 'admit'>> {
  /** Where the content is; a directory that goes with the server if none is given. */
  readonly root?: string;
  readonly limits?: Limits;
  readonly log?: RegistryServerOptions['log'];
  /** Milliseconds; see `buildServices`. */
  readonly leaseRenewal?: number;
}

/** A registry server in this process. */
export interface TestRegistry extends AsyncDisposable {
  /** `127.0.0.1:port`. */
  readonly host: string;
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  readonly services: Services;
  readonly content: Content;
  /** What was observed, in order. */
  readonly facts: readonly Fact[];
}

/** On disk; in a bucket if the whole process is about that (`onObjectStorage`). */
async function openTestContent(root: string, stack: AsyncDisposableStack): Promise<Content> {
  if (!isOnObjectStorage) return stack.use(await openLocalContent({ root }));
  const server = stack.use(await startS3());
  return stack.use(await openBucketContent({ root, config: s3Config(server), settle: 0 }));
}

let isOnObjectStorage = false;

/** From now on the registries of this process have their content in object storage. */
export function onObjectStorage(): void {
  isOnObjectStorage = true;
}

/** Starts a registry on a free port of the loopback interface, with its content on disk. */
export async function startRegistry(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  await using stack = new AsyncDisposableStack();
  const root = options.root ?? stack.use(scratchDir()).path;
  const content = await openTestContent(root, stack);
  const facts: Fact[] = [];
  const { limits, leaseRenewal } = options;
  const services = buildServices({
    ...content,
    observer: { observe: (fact) => facts.push(fact) },
    ...(limits === undefined ? {} : { limits }),
    ...(leaseRenewal === undefined ? {} : { leaseRenewal }),
  });
  const access: Access = options.access ?? openAccess;
  const { routes, admit } = options;
  const server = new RegistryServer({
    services,
    access,
    log: options.log ?? silentLogger(),
    ...(routes === undefined ? {} : { routes }),
    ...(admit === undefined ? {} : { admit }),
  });
  stack.adopt(server, (running) => running.close(0));
  const door = server.door().listen(0, '127.0.0.1');
  await once(door, 'listening');
  const host = `127.0.0.1:${(door.address() as AddressInfo).port}`;
  const owned = stack.move();
  return {
    host,
    url: `http://${host}`,
    services,
    content,
    facts,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
