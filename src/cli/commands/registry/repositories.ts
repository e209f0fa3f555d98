import { type Command, defineCommand } from '../../command.ts';
import { boolFlag } from '../../flags/flag.ts';
import { withRegistry } from '../../manifests/registry.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] REGISTRY',
  description: 'List the repositories of a registry.\nPublic registries mostly do not show them.',
  arity: { min: 1, max: 1 },
  flags: { insecure: boolFlag('Allow a registry without TLS or with an unknown certificate') },
  async run(ctx, { flags: { insecure }, args: [address = ''] }) {
    const { signal } = new AbortController();
    await withRegistry(ctx, { address, insecure }, async (client, { domain, credentials }) => {
      for await (const name of client.catalog(domain, { credentials, signal })) ctx.stdout.write(`${name}\n`);
    });
  },
});
