import type { SecretSource } from '#/builder/request.ts';
import { GrpcError, grpcCodes } from '../grpc/status.ts';
import { Secrets } from '../messages/secrets_pb.ts';
import type { ClientSession } from './session.ts';

/** The secrets that the client of a session gives away. */
export function sessionSecrets({ rpc }: ClientSession): SecretSource {
  return {
    async get(id, { signal }): Promise<Buffer | undefined> {
      try {
        const { data } = await rpc.unary(Secrets.method.getSecret, { id }, { signal });
        return Buffer.from(data);
      } catch (error) {
        if (isAbsent(error)) return undefined;
        throw error;
      }
    },
  };
}

/** Clients without any secret do not even have the service. */
function isAbsent(error: unknown): boolean {
  return (
    error instanceof GrpcError &&
    (error.code === grpcCodes.notFound || error.code === grpcCodes.unimplemented)
  );
}
