import { isDigest } from '#/oci/digest.ts';
import { readTar } from '#/tar/tar-reader.ts';
import type { ClientContent } from '../cache/exchange/client-content.ts';
import type { ArchiveSink } from '../request.ts';

/** Takes an archive of an OCI image layout apart into a store of blobs that a client has. Its index the client keeps itself. */
export function storeSink(content: ClientContent): ArchiveSink {
  return {
    async write(bytes, { signal }): Promise<void> {
      for await (const { path, size, body } of readTar(bytes)) {
        const [, algorithm = '', hex = ''] = /^blobs\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
        const digest = `${algorithm}:${hex}`;
        if (isDigest(digest)) await content.write({ mediaType: '', digest, size }, body, { signal });
      }
    },
  };
}
