import { parseDigest } from '#/oci/digest.ts';
import { canonicalName, parseReference, type Reference } from '#/oci/reference.ts';
import { type Command, type Context, defineCommand } from '../../command.ts';
import { boolFlag } from '../../flags/flag.ts';
import { copyImage } from '../../manifests/copy.ts';
import { listOf, type ManifestEntry } from '../../manifests/entry.ts';
import { manifestName, withRepository } from '../../manifests/remote.ts';
import { ManifestStore } from '../../manifests/store.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] MANIFEST_LIST',
  description: 'Push a list that has been begun.\nImages from other repositories of the registry are copied.',
  arity: { min: 1, max: 1 },
  flags: {
    insecure: boolFlag('Allow a registry without TLS or with an unknown certificate'),
    purge: boolFlag('Remove the list here when it has been pushed', { short: 'p' }),
  },
  async run(ctx, { flags: { insecure, purge }, args: [name = ''] }) {
    const target = manifestName(name, 'manifest list');
    const store = new ManifestStore(ctx);
    const entries = await store.list(target);
    if (entries === undefined || entries.length === 0) throw new Error(`No such manifest: ${name}`);
    checkEntries(target, entries);
    ctx.stdout.write(`${await pushList(ctx, target, { entries, insecure })}\n`);
    if (purge) await store.remove(target);
  },
});

function checkEntries({ domain }: Reference, entries: readonly ManifestEntry[]): void {
  for (const { Ref, Descriptor } of entries) {
    const source = parseReference(Ref);
    if (source.domain !== domain) {
      throw new Error(
        `cannot use source images from a different registry than the target image: ${source.domain} != ${domain}`,
      );
    }
    if (!Descriptor.platform?.architecture || !Descriptor.platform.os) {
      throw new Error(`manifest ${Ref} must have an OS and Architecture to be pushed to a registry`);
    }
  }
}

/** Gives the digest of the list. */
async function pushList(
  ctx: Context,
  target: Reference,
  { entries, insecure }: { entries: readonly ManifestEntry[]; insecure: boolean },
): Promise<string> {
  const { signal } = new AbortController();
  return await withRepository(
    ctx,
    { reference: target, actions: 'pull,push', insecure },
    async (repository) => {
      for (const { Ref, Descriptor } of entries) {
        const source = parseReference(Ref);
        if (source.path === target.path) continue;
        const digest = parseDigest(Descriptor.digest);
        await withRepository(ctx, { reference: source, actions: 'pull', insecure }, (from) =>
          copyImage({ from, path: source.path, to: repository, digest, signal }),
        );
        const copy = `${canonicalName(target)}@${digest}`;
        ctx.stdout.write(`Pushed ref ${copy} with digest: ${digest}\n`);
      }
      const { mediaType, text } = listOf(entries);
      const ref = target.digest ?? target.tag ?? 'latest';
      return await repository.putManifest(ref, { mediaType, bytes: Buffer.from(text) }, { signal });
    },
  );
}
