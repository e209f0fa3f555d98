import type { AuthSource } from '#/builder/request.ts';
import type { Credentials } from '#/distribution/credentials.ts';
import { methodPath } from '../grpc/server.ts';
import { GrpcError, grpcCodes } from '../grpc/status.ts';
import { Auth } from '../messages/auth_pb.ts';
import type { ClientSession } from './session.ts';

/** How Docker's clients name Docker Hub among their credentials. */
const hubHost = 'registry-1.docker.io';

/** Who the client of a session is for registries: it looks into its own configuration. */
export function sessionAuth(session: ClientSession): AuthSource {
  return {
    async credentials(host, { signal }): Promise<Credentials> {
      const method = Auth.method.credentials;
      if (!session.supports(methodPath(method))) return { kind: 'anonymous' };
      try {
        const asked = host === 'docker.io' ? hubHost : host;
        const { username, secret } = await session.rpc.unary(method, { host: asked }, { signal });
        if (secret === '') return { kind: 'anonymous' };
        return username === ''
          ? { kind: 'identityToken', token: secret }
          : { kind: 'basic', username, password: secret };
      } catch (error) {
        if (error instanceof GrpcError && error.code === grpcCodes.notFound) return { kind: 'anonymous' };
        throw error;
      }
    },
  };
}
