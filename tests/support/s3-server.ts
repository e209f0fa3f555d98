import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo, Server } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { KeyedLocks } from '#/base/locks.ts';
import type { S3Config } from '#/registry/server/config/storage.ts';
import { scratchDir } from './scratch-dir.ts';

/** What is used of s3rver, which comes without types: a Koa application over a store of files. */
interface S3rver {
  readonly store: {
    getObject(bucket: string, key: string): Promise<StoredObject | null>;
    listObjects: (bucket: string, options: ListOptions) => Promise<Listing>;
  };
  readonly middleware: Middleware[];
  configureBuckets(): Promise<unknown>;
  callback(): (request: IncomingMessage, response: ServerResponse) => void;
  readonly logger: { exceptions: { unhandle(): void }; close(): void };
}

type Middleware = (context: Context, next: () => Promise<void>) => Promise<void>;

interface ListOptions {
  readonly startAfter?: string;
  readonly maxKeys?: number;
}

interface Listing {
  readonly objects: readonly { readonly key: string }[];
  readonly isTruncated: boolean;
}

interface StoredObject {
  readonly metadata: { readonly etag: string };
  readonly content: { destroy(): void } | null;
}

interface Context {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  status: number;
  body: unknown;
}

const S3rver = createRequire(import.meta.url)('@20minutes/s3rver') as new (options: object) => S3rver;

/** A bucket for one test. */
export interface S3Server extends AsyncDisposable {
  readonly endpoint: URL;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Requests so far: method and path. */
  readonly requests: readonly string[];
  /** Makes the next requests that `which` picks fail with this status. */
  fail(status: number, which: (request: string) => boolean): void;
  /** Ends failing. */
  heal(): void;
}

/**
 * A real S3 server, which checks signatures and keeps objects in files. Conditional writes and atomic ones, which S3 has, are
 * put in front of it.
 */
export async function startS3({ conditional = true }: { conditional?: boolean } = {}): Promise<S3Server> {
  const { createServer } = await import('node:http');
  const dir = scratchDir();
  const app = new S3rver({ directory: dir.path, silent: true, configureBuckets: [{ name: 'bucket' }] });
  await app.configureBuckets();
  listInOrder(app);
  const requests: string[] = [];
  let failing: { status: number; which: (request: string) => boolean } | undefined;
  app.middleware.unshift(async (context, next) => {
    const request = `${context.method} ${context.path}`;
    requests.push(request);
    if (failing?.which(request) === true) {
      context.status = failing.status;
      context.body = '<Error><Code>Injected</Code><Message>by the test</Message></Error>';
    } else await next();
  });
  if (conditional) app.middleware.unshift(conditionalWrites(app));
  app.middleware.unshift(oneAfterTheOther());
  const server: Server = createServer(app.callback()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: new URL(`http://127.0.0.1:${port}`),
    bucket: 'bucket',
    accessKeyId: 'S3RVER',
    secretAccessKey: 'S3RVER',
    requests,
    fail: (status, which) => {
      failing = { status, which };
    },
    heal: () => {
      failing = undefined;
    },
    async [Symbol.asyncDispose]() {
      (server as ReturnType<typeof createServer>).closeAllConnections();
      server.close();
      await once(server, 'close');
      app.logger.exceptions.unhandle();
      app.logger.close();
      dir[Symbol.dispose]();
    },
  };
}

/** The configuration of a registry on that bucket. */
export function s3Config({ endpoint, bucket, accessKeyId, secretAccessKey }: S3Server): S3Config {
  return {
    bucket,
    region: 'us-east-1',
    endpoint,
    pathStyle: true,
    prefix: '',
    credentials: { kind: 'keys', accessKeyId, secretAccessKey, sessionToken: undefined },
    redirect: false,
    partSize: 5 * 1024 * 1024,
  };
}

/** S3 lists keys in the order of their bytes; this server does so only if the file system does. */
function listInOrder({ store }: S3rver): void {
  const listObjects = store.listObjects.bind(store);
  store.listObjects = async (bucket, { startAfter = '', maxKeys = 1000, ...options }) => {
    const all = await listObjects(bucket, options);
    const objects = all.objects
      .filter(({ key }) => key > startAfter)
      .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
    return { ...all, objects: objects.slice(0, maxKeys), isTruncated: objects.length > maxKeys };
  };
}

/** S3's requests are atomic; this server writes into the files that it reads. So one comes after the other. */
function oneAfterTheOther(): Middleware {
  const locks = new KeyedLocks();
  return async (context, next) => {
    using _held = await locks.acquire('');
    await next();
    // Read while nobody writes.
    if (context.body instanceof Readable) context.body = await buffer(context.body);
  };
}

function conditionalWrites(app: S3rver): Middleware {
  return async (context, next) => {
    const { 'if-match': match, 'if-none-match': noneMatch } = context.headers;
    const isWrite = context.method === 'PUT' || context.method === 'DELETE';
    if (isWrite && (match !== undefined || noneMatch !== undefined)) {
      const [bucket = '', ...key] = context.path.slice(1).split('/').map(decodeURIComponent);
      const object = await app.store.getObject(bucket, key.join('/'));
      object?.content?.destroy();
      const etag = object?.metadata.etag;
      if ((noneMatch === '*' && etag !== undefined) || (match !== undefined && match !== etag)) {
        context.status = 412;
        context.body =
          '<Error><Code>PreconditionFailed</Code><Message>it is another version</Message></Error>';
        return;
      }
    }
    await next();
  };
}
