import { internal, isKind } from '#/base/errors.ts';

/**
 * A registry's failure with the status that Docker's clients know it under. One that cannot be reached is the daemon's
 * failure (500), not one that passes (503). So is one that wants credentials where there are none: to 401 clients answer by
 * asking for a password, which they do only for credentials that were wrong.
 */
export function registryFailure(error: unknown): unknown {
  const lacksCredentials =
    isKind(error, 'unauthorized') && error.message.endsWith('no basic auth credentials');
  return isKind(error, 'unavailable') || lacksCredentials ? internal(error.message, error) : error;
}
