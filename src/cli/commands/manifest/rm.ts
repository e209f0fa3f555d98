import { type Command, defineCommand, ExitError } from '../../command.ts';
import { manifestName } from '../../manifests/remote.ts';
import { ManifestStore } from '../../manifests/store.ts';

export const command: Command = defineCommand({
  usage: 'MANIFEST_LIST [MANIFEST_LIST...]',
  description: 'Remove lists that have been begun. What registries have stays.',
  arity: { min: 1 },
  flags: {},
  async run(ctx, { args }) {
    const store = new ManifestStore(ctx);
    const missing: string[] = [];
    for (const name of args) {
      if (!(await store.remove(manifestName(name, 'manifest list')))) missing.push(name);
    }
    if (missing.length > 0)
      throw new ExitError(1, missing.map((name) => `No such manifest: ${name}`).join('\n'));
  },
});
