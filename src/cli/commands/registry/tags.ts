import { parseReference } from '#/oci/reference.ts';
import { type Command, defineCommand } from '../../command.ts';
import { boolFlag } from '../../flags/flag.ts';
import { withRepository } from '../../manifests/remote.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] NAME',
  description: 'List the tags of a repository, as REGISTRY/PATH.',
  arity: { min: 1, max: 1 },
  flags: { insecure: boolFlag('Allow a registry without TLS or with an unknown certificate') },
  async run(ctx, { flags: { insecure }, args: [name = ''] }) {
    const reference = parseReference(name);
    if (reference.tag !== undefined || reference.digest !== undefined) {
      throw new Error(`"${name}" names one image; give the repository without tag and digest`);
    }
    const { signal } = new AbortController();
    await withRepository(ctx, { reference, actions: 'pull', insecure }, async (repository) => {
      for await (const tag of repository.tags({ signal })) ctx.stdout.write(`${tag}\n`);
    });
  },
});
