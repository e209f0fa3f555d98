import { RegistryError } from '#/distribution/failures.ts';
import { type Command, defineCommand } from '../../command.ts';
import { boolFlag } from '../../flags/flag.ts';
import { withRegistry } from '../../manifests/registry.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] REGISTRY',
  description:
    'Have a skiff-registry remove what nothing refers to, and what its rules for\nretention give up. Its report is printed.',
  arity: { min: 1, max: 1 },
  flags: {
    'dry-run': boolFlag('Only tell what would be removed, and why'),
    insecure: boolFlag('Allow a registry without TLS or with an unknown certificate'),
  },
  async run(ctx, { flags: { 'dry-run': dryRun, insecure }, args: [address = ''] }) {
    const { signal } = new AbortController();
    await withRegistry(ctx, { address, insecure }, async (client, { domain, credentials }) => {
      try {
        const report: unknown = JSON.parse(
          await client.collectGarbage(domain, { dryRun, credentials, signal }),
        );
        ctx.stdout.write(`${JSON.stringify(report, null, 4)}\n`);
      } catch (error) {
        if (!(error instanceof RegistryError) || ![404, 405].includes(error.status)) throw error;
        throw new Error(
          `${domain} cannot be told to collect its garbage: only skiff-registry can. Others do it in their own ways.`,
          { cause: error },
        );
      }
    });
  },
});
