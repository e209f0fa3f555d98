import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JWTVerifyGetKey,
  jwtVerify,
  SignJWT,
} from 'jose';
import { EngineError, invalid, messageOf, unavailable } from '#/base/errors.ts';
import type { TokenConfig } from '../config/auth.ts';
import { type Grant, parseAccessClaim } from './grants.ts';

/** What a good token says. */
export interface Claims {
  /** Undefined: the token service did not know who asked. */
  readonly user: string | undefined;
  readonly groups: readonly string[];
  readonly grants: readonly Grant[];
}

/** Seconds that clocks may differ. */
const clockTolerance = 60;
/** Only public keys: with a shared secret whoever can check tokens could make them. */
const publicKeyAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/** Checks bearer tokens (RFC 7519). */
export interface TokenVerifier {
  /** Throws `unauthorized` if the token is not good, `unavailable` if the keys cannot be had. */
  verify(token: string): Promise<Claims>;
}

/** Checks the tokens of somebody else's token service. */
export class ServiceTokens implements TokenVerifier {
  readonly #config: TokenConfig;
  #keys: JWTVerifyGetKey;

  /** Throws `invalid` if the file with the keys is wrong. */
  constructor(config: TokenConfig) {
    this.#config = config;
    this.#keys = keysOf(config);
  }

  /** Reads a file of keys again. Throws `invalid` and goes on with the old ones. */
  reload(): void {
    this.#keys = keysOf(this.#config);
  }

  async verify(token: string): Promise<Claims> {
    const { issuer, audience } = this.#config;
    return await checked(async () => {
      const { payload } = await jwtVerify(token, this.#keys, {
        issuer,
        audience,
        clockTolerance,
        algorithms: publicKeyAlgorithms,
        requiredClaims: ['exp'],
      });
      return payload;
    });
  }
}

/** Makes and checks tokens for our own users. They are good at every process that has the same key. */
export class OwnTokens implements TokenVerifier {
  readonly #key: KeyObject;
  readonly #service: string;
  /** Milliseconds that a token is good for. */
  readonly lifetime: number;

  constructor({ key, service, lifetime }: { key: KeyObject; service: string; lifetime: number }) {
    this.#key = key;
    this.#service = service;
    this.lifetime = lifetime;
  }

  /** A token that grants `grants` to `user` (undefined: to somebody unknown) from now on. */
  async issue(
    user: string | undefined,
    grants: readonly Grant[],
  ): Promise<{ token: string; issuedAt: Date }> {
    const issuedAt = Math.floor(Date.now() / 1000);
    const jwt = new SignJWT({ access: grants })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setIssuer(this.#service)
      .setAudience(this.#service)
      .setIssuedAt(issuedAt)
      .setNotBefore(issuedAt)
      .setExpirationTime(issuedAt + Math.ceil(this.lifetime / 1000))
      .setJti(randomBytes(16).toString('hex'));
    if (user !== undefined) jwt.setSubject(user);
    return { token: await jwt.sign(this.#key), issuedAt: new Date(issuedAt * 1000) };
  }

  async verify(token: string): Promise<Claims> {
    return await checked(async () => {
      const { payload } = await jwtVerify(token, this.#key, {
        issuer: this.#service,
        audience: this.#service,
        clockTolerance: 0,
        algorithms: ['HS256'],
        requiredClaims: ['exp'],
      });
      return payload;
    });
  }
}

/** The key in a file with at least 32 bytes. Throws `invalid`. */
export function readTokenKey(path: string): KeyObject {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw invalid(`auth.issue.keyFile: ${messageOf(error)}`, error);
  }
  if (bytes.length < 32) {
    throw invalid(
      `auth.issue.keyFile: ${JSON.stringify(path)} has ${bytes.length} bytes; a key has 32 or more`,
    );
  }
  return createSecretKey(bytes);
}

function keysOf({ jwks }: TokenConfig): JWTVerifyGetKey {
  if (jwks.kind === 'url') {
    return createRemoteJWKSet(jwks.url, {
      timeoutDuration: 5000,
      cooldownDuration: 30_000,
      cacheMaxAge: 600_000,
    });
  }
  try {
    return createLocalJWKSet(JSON.parse(readFileSync(jwks.path, 'utf8')));
  } catch (error) {
    throw invalid(`auth.token.jwksFile: ${JSON.stringify(jwks.path)}: ${messageOf(error)}`, error);
  }
}

async function checked(verify: () => Promise<Record<string, unknown>>): Promise<Claims> {
  try {
    return claimsOf(await verify());
  } catch (error) {
    if (
      error instanceof errors.JWKSTimeout ||
      !(error instanceof errors.JOSEError || error instanceof EngineError)
    ) {
      throw unavailable(`the keys of the token service cannot be had: ${messageOf(error)}`, error);
    }
    throw new EngineError('unauthorized', `the token is not good: ${messageOf(error)}`, { cause: error });
  }
}

/** What Docker's token services say about the bearer. Throws `invalid`. */
export function claimsOf(payload: Readonly<Record<string, unknown>>): Claims {
  const { sub, groups, access } = payload;
  if (sub !== undefined && typeof sub !== 'string') throw invalid('the claim "sub" is no text');
  const listed = Array.isArray(groups)
    ? groups.filter((group): group is string => typeof group === 'string')
    : [];
  return { user: sub === '' ? undefined : sub, groups: listed, grants: parseAccessClaim(access) };
}
