import type { Reference } from '#/oci/reference.ts';
import { type Command, type Context, defineCommand, type Output } from '../../command.ts';
import { boolFlag } from '../../flags/flag.ts';
import { listOf, type ManifestEntry } from '../../manifests/entry.ts';
import { fetchListed, fetchRemote, manifestName } from '../../manifests/remote.ts';
import { ManifestStore } from '../../manifests/store.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] [MANIFEST_LIST] MANIFEST',
  description:
    'Show the manifest of an image, or a list.\nA list that has been begun comes before what the registry has.',
  arity: { min: 1, max: 2 },
  flags: {
    insecure: boolFlag('Allow registries without TLS or with an unknown certificate'),
    verbose: boolFlag('Also show platforms, and of lists the manifests', { short: 'v' }),
  },
  async run(ctx, { flags, args }) {
    const store = new ManifestStore(ctx);
    const name = args.at(-1) ?? '';
    const reference = manifestName(name, 'manifest');
    if (args.length === 2) {
      const entry = await store.get(manifestName(args[0] ?? '', 'manifest list'), reference);
      if (entry === undefined) throw new Error(`No such manifest: ${name}`);
      return printEntry(ctx.stdout, entry, flags);
    }
    const entries = await store.list(reference);
    if (entries === undefined) return printRemote(ctx, reference, flags);
    ctx.stdout.write(`${flags.verbose ? indented(entries) : listOf(entries).text}\n`);
  },
});

async function printRemote(
  ctx: Context,
  reference: Reference,
  { insecure, verbose }: { insecure: boolean; verbose: boolean },
): Promise<void> {
  const options = { insecure, signal: new AbortController().signal };
  const found = await fetchRemote(ctx, reference, options);
  if (found.kind === 'manifest') return printEntry(ctx.stdout, found.entry, { verbose });
  const { descriptors } = found;
  if (verbose) ctx.stdout.write(`${indented(await fetchListed(ctx, { reference, descriptors }, options))}\n`);
  else ctx.stdout.write(`${listOf(descriptors.map((Descriptor) => ({ Descriptor }))).text}\n`);
}

function printEntry(stdout: Output, entry: ManifestEntry, { verbose }: { verbose: boolean }): void {
  stdout.write(`${indented(verbose ? entry : (entry.OCIManifest ?? entry.SchemaV2Manifest ?? {}))}\n`);
}

function indented(value: object): string {
  return JSON.stringify(value, null, '\t');
}
