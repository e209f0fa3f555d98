import { RegistryError } from '#/distribution/failures.ts';
import type { Repository } from '#/distribution/repository.ts';
import { canonicalString, parseReference, type Reference } from '#/oci/reference.ts';
import { type Command, defineCommand } from '../../command.ts';
import { boolFlag } from '../../flags/flag.ts';
import { withRepository } from '../../manifests/remote.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] NAME:TAG|NAME@DIGEST [NAME:TAG|NAME@DIGEST...]',
  description:
    'Delete tags, or by digest manifests with all their tags.\nThe space is free when the registry has collected its garbage.',
  arity: { min: 1 },
  flags: {
    insecure: boolFlag('Allow a registry without TLS or with an unknown certificate'),
    manifest: boolFlag('Delete what a tag names, with all its other tags'),
  },
  async run(ctx, { flags: { insecure, manifest }, args }) {
    const references = args.map(exactReference);
    const { signal } = new AbortController();
    for (const reference of references) {
      await withRepository(ctx, { reference, actions: 'pull,push,delete', insecure }, async (repository) => {
        await deleteOne(repository, reference, { manifest, signal });
      });
      ctx.stdout.write(`Deleted: ${canonicalString(reference)}\n`);
    }
  },
});

/** Nothing is deleted for the want of a tag. */
function exactReference(name: string): Reference {
  const reference = parseReference(name);
  if (reference.tag !== undefined || reference.digest !== undefined) return reference;
  throw new Error(`"${name}": say which tag or digest is to be deleted`);
}

async function deleteOne(
  repository: Repository,
  reference: Reference,
  { manifest, signal }: { manifest: boolean; signal: AbortSignal },
): Promise<void> {
  const { tag, digest } = reference;
  if (digest !== undefined) return repository.deleteManifest(digest, { signal });
  if (manifest) {
    const found = await repository.head(tag ?? '', { signal });
    if (found === undefined) throw new Error(`no such manifest: ${canonicalString(reference)}`);
    return repository.deleteManifest(found.digest, { signal });
  }
  try {
    await repository.deleteManifest(tag ?? '', { signal });
  } catch (error) {
    const isUnable =
      error instanceof RegistryError &&
      (error.status === 405 || error.codes.some((code) => ['UNSUPPORTED', 'DIGEST_INVALID'].includes(code)));
    if (!isUnable) throw error;
    throw new Error(
      `${reference.domain} cannot delete the tag "${tag}" alone (${error.message}); --manifest deletes what it names, with all its tags`,
      { cause: error },
    );
  }
}
