import { type Command, defineCommand } from '../../command.ts';
import { boolFlag, filterFlag } from '../../flags/flag.ts';
import { confirm, pruneUnusedNetworks } from '../../prune.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS]',
  arity: { max: 0 },
  flags: {
    filter: filterFlag('Only those that match, e.g. "until=24h"'),
    force: boolFlag('Do not ask', { short: 'f' }),
  },
  async run(ctx, { flags }) {
    const warning = 'WARNING! This will remove all custom networks not used by at least one container.';
    if (!flags.force && !(await confirm(ctx, warning))) return;
    ctx.stdout.write((await pruneUnusedNetworks(ctx.client, flags.filter)).text);
  },
});
