import { invalid } from '#/base/errors.ts';
import type { AuthSource, SecretSource, SshSource } from '#/builder/request.ts';

/** Of a client without a session. */
export const noSecrets: SecretSource = { get: () => Promise.resolve(undefined) };

/** Of a client without a session. */
export const noSsh: SshSource = {
  has: () => Promise.resolve(false),
  connect: (id) => {
    throw invalid(`the client does not forward the SSH agent ${JSON.stringify(id)}`);
  },
};

/** Of a client without a session. */
export const anonymous: AuthSource = { credentials: () => Promise.resolve({ kind: 'anonymous' }) };
