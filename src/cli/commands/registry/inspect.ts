import type { Repository } from '#/distribution/repository.ts';
import { readDescriptor } from '#/oci/descriptor.ts';
import { parseJson } from '#/oci/json.ts';
import { maxManifestBytes } from '#/oci/manifest.ts';
import { canonicalString, type Reference } from '#/oci/reference.ts';
import { type Command, defineCommand } from '../../command.ts';
import { boolFlag } from '../../flags/flag.ts';
import { manifestName, withRepository } from '../../manifests/remote.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
  description: 'Show what a registry has under a name, and what refers to it.',
  arity: { min: 1, max: 1 },
  flags: {
    insecure: boolFlag('Allow a registry without TLS or with an unknown certificate'),
    raw: boolFlag('Print the manifest as it is'),
  },
  async run(ctx, { flags: { insecure, raw }, args: [name = ''] }) {
    const reference = manifestName(name, 'manifest');
    const { signal } = new AbortController();
    await withRepository(ctx, { reference, actions: 'pull', insecure }, async (repository) => {
      const found = await repository.manifest(reference.digest ?? reference.tag ?? 'latest', { signal });
      if (raw) ctx.stdout.write(found.bytes.toString());
      else
        ctx.stdout.write(
          `${JSON.stringify(await report(repository, { reference, ...found }, signal), null, 4)}\n`,
        );
    });
  },
});

/** What is known of a manifest or list without getting its layers. */
async function report(
  repository: Repository,
  { reference, descriptor, bytes }: { reference: Reference } & Awaited<ReturnType<Repository['manifest']>>,
  signal: AbortSignal,
): Promise<object> {
  const { mediaType, digest, size } = descriptor;
  const document = parseJson(bytes, { what: 'manifest', maxBytes: maxManifestBytes });
  const config = document.get('config').optional(readDescriptor);
  const layers = document.get('layers').optional((field) => field.list(maxParts, readDescriptor));
  const manifests = document.get('manifests').optional((field) => field.list(maxParts, readDescriptor));
  const parts = [...(config === undefined ? [] : [config]), ...(layers ?? [])];
  return {
    Name: canonicalString(reference),
    Digest: digest,
    MediaType: mediaType,
    Size: size,
    ...(manifests === undefined
      ? { ContentSize: parts.reduce((sum, part) => sum + part.size, 0), Config: config, Layers: layers }
      : { Manifests: manifests }),
    Referrers: await repository.referrers(digest, { signal }),
  };
}

const maxParts = 10_000;
