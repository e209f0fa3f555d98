import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, linkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isSystemError } from '#/base/errors.ts';
import type { Logger } from '#/base/log.ts';
import type { Access } from '../access.ts';
import type { RegistryConfig } from '../config/config.ts';
import { LimitedAccess } from '../limits/limited-access.ts';
import type { TokenIssuer } from '../routes/token.ts';
import { AccessControl } from './access-control.ts';
import type { BcryptThread } from './bcrypt.ts';
import { Htpasswd } from './htpasswd.ts';
import { OwnTokens, readTokenKey, ServiceTokens } from './tokens.ts';

/** Access as a configuration has it. */
export interface BuiltAccess {
  readonly access: Access;
  /** Undefined: we issue no tokens. */
  readonly issuer: TokenIssuer | undefined;
}

/** Puts access together. Throws `invalid` about users, keys and rules that cannot be read. */
export function buildAccess(
  config: RegistryConfig,
  { bcrypt, log }: { bcrypt: BcryptThread; log: Logger },
): BuiltAccess {
  const { auth, url, limits } = config;
  const some = auth.kind === 'some' ? auth : undefined;
  const htpasswd = some?.htpasswd === undefined ? undefined : new Htpasswd({ ...some.htpasswd, bcrypt, log });
  const own =
    some?.issue === undefined
      ? undefined
      : new OwnTokens({
          key: readTokenKey(some.issue.keyFile ?? madeKey(config.data)),
          service: some.issue.service,
          lifetime: some.issue.lifetime,
        });
  const tokens = some?.token === undefined ? own : new ServiceTokens(some.token);
  const control = new AccessControl({ config: auth, url, htpasswd, tokens });
  return {
    access: limits.requests === undefined ? control : new LimitedAccess(control, limits.requests),
    issuer: own === undefined ? undefined : { access: control, tokens: own },
  };
}

/** The file of a key that is made at the first start. */
function madeKey(data: string): string {
  const path = join(data, 'token.key');
  if (existsSync(path)) return path;
  const fresh = join(data, `.token.key-${randomUUID()}`);
  writeFileSync(fresh, randomBytes(32), { mode: 0o600, flush: true });
  try {
    // Whole or not at all, and never over one that another process has just made.
    linkSync(fresh, path);
  } catch (error) {
    if (!isSystemError(error, 'EEXIST')) throw error;
  } finally {
    rmSync(fresh);
  }
  return path;
}
