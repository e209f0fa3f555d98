import { canonicalString } from '#/oci/reference.ts';
import { type Command, defineCommand } from '../../command.ts';
import { boolFlag } from '../../flags/flag.ts';
import { fetchRemote, manifestName } from '../../manifests/remote.ts';
import { ManifestStore } from '../../manifests/store.ts';

export const command: Command = defineCommand({
  usage: 'MANIFEST_LIST MANIFEST [MANIFEST...]',
  description:
    'Begin a list of images for several platforms, to push it under one name.\nThe images must be at a registry already.',
  arity: { min: 2 },
  flags: {
    amend: boolFlag('Add to a list that has been begun', { short: 'a' }),
    insecure: boolFlag('Allow registries without TLS or with an unknown certificate'),
  },
  async run(ctx, { flags, args: [name = '', ...images] }) {
    const target = manifestName(name, 'manifest list');
    const references = images.map((image) => manifestName(image, 'manifest'));
    const store = new ManifestStore(ctx);
    if (!flags.amend && (await store.list(target)) !== undefined) {
      throw new Error('refusing to amend an existing manifest list with no --amend flag');
    }
    const { signal } = new AbortController();
    for (const [index, image] of references.entries()) {
      const found = await fetchRemote(ctx, image, { insecure: flags.insecure, signal });
      if (found.kind === 'list') throw new Error(`${images[index]} is a manifest list`);
      await store.put(target, image, found.entry);
    }
    ctx.stdout.write(`Created manifest list ${canonicalString(target)}\n`);
  },
});
