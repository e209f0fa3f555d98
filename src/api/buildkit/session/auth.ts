import { createHmac, createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import type { AuthSource } from '#/builder/request.ts';
import type { Credentials, Delegate, OwnCredentials } from '#/distribution/credentials.ts';
import { methodPath } from '../grpc/server.ts';
import { GrpcError, grpcCodes } from '../grpc/status.ts';
import { Auth } from '../messages/auth_pb.ts';
import type { ClientSession } from './session.ts';

/** How Docker's clients name Docker Hub among their credentials. */
const hubHost = 'registry-1.docker.io';
/** What the daemon calls itself for token services. */
const clientId = 'skiff';
const saltSize = 32;

interface Options {
  readonly signal: AbortSignal;
}

/**
 * Who the client of a session is for registries: it looks into its own configuration. A client that can do so gets tokens itself, and
 * keeps what it gets them with.
 */
export function sessionAuth(session: ClientSession): AuthSource {
  return {
    async credentials(host, options): Promise<Credentials> {
      const asked = host === 'docker.io' ? hubHost : host;
      const { credentials, fetchToken, getTokenAuthority } = Auth.method;
      const keeps = [fetchToken, getTokenAuthority].every((method) => session.supports(methodPath(method)));
      const hasSome = keeps ? await hasCredentials(session, asked, options) : undefined;
      if (hasSome === false) return { kind: 'anonymous' };
      if (hasSome === true) return { kind: 'delegated', delegate: delegateOf(session, asked) };
      if (!session.supports(methodPath(credentials))) return { kind: 'anonymous' };
      return given(session, asked, options);
    },
  };
}

/** Tells whether the client has credentials; undefined if it does not say. */
async function hasCredentials(
  { rpc }: ClientSession,
  host: string,
  options: Options,
): Promise<boolean | undefined> {
  const salt = randomBytes(saltSize);
  try {
    const { publicKey } = await rpc.unary(Auth.method.getTokenAuthority, { host, salt }, options);
    return !nobodysKey(salt).equals(publicKey);
  } catch (error) {
    options.signal.throwIfAborted();
    // "client side tokens disabled", for example.
    if (error instanceof GrpcError) return undefined;
    throw error;
  }
}

/** The key of clients without credentials: theirs is made of the salt alone (BuildKit, session/auth/authprovider). */
function nobodysKey(salt: Buffer): Buffer {
  const seed = createHmac('sha256', salt).digest();
  // RFC 8410, section 7: what is in front of the 32 bytes of a private key of Ed25519.
  const key = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const { x = '' } = createPublicKey(createPrivateKey({ key, format: 'der', type: 'pkcs8' })).export({
    format: 'jwk',
  });
  return Buffer.from(x, 'base64url');
}

function delegateOf(session: ClientSession, host: string): Delegate {
  return {
    async token({ realm, service = '', scopes }, options) {
      const request = { clientId, host, realm: realm.href, service, scopes: [...scopes] };
      try {
        const { token, expiresIn } = await session.rpc.unary(Auth.method.fetchToken, request, options);
        return { token, life: Number(expiresIn) };
      } catch (error) {
        options.signal.throwIfAborted();
        // It may not reach the service, or not trust its certificate, where the daemon does.
        if (error instanceof GrpcError) return undefined;
        throw error;
      }
    },
    credentials: (options) => given(session, host, options),
  };
}

/** The credentials that the client gives away. */
async function given({ rpc }: ClientSession, host: string, { signal }: Options): Promise<OwnCredentials> {
  try {
    const { username, secret } = await rpc.unary(Auth.method.credentials, { host }, { signal });
    if (secret === '') return { kind: 'anonymous' };
    return username === ''
      ? { kind: 'identityToken', token: secret }
      : { kind: 'basic', username, password: secret };
  } catch (error) {
    if (error instanceof GrpcError && error.code === grpcCodes.notFound) return { kind: 'anonymous' };
    throw error;
  }
}
