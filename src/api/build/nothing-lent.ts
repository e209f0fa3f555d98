import { invalid } from '#/base/errors.ts';
import type { SecretSource, SshSource } from '#/builder/request.ts';

/** The classic API has no secrets. */
export const noSecrets: SecretSource = { get: async () => undefined };

/** The classic API has no SSH agents. */
export const noSsh: SshSource = {
  has: async () => false,
  connect: (id) => {
    throw invalid(`a classic build has no SSH agent ${JSON.stringify(id)}`);
  },
};
