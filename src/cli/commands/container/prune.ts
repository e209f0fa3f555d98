import { type Command, defineCommand } from '../../command.ts';
import { boolFlag, filterFlag } from '../../flags/flag.ts';
import { confirm, pruneStoppedContainers, reportPrune } from '../../prune.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS]',
  arity: { max: 0 },
  flags: {
    filter: filterFlag('Only those that match, e.g. "until=24h" or "label=name"'),
    force: boolFlag('Do not ask', { short: 'f' }),
  },
  async run(ctx, { flags }) {
    if (!flags.force && !(await confirm(ctx, 'WARNING! This will remove all stopped containers.'))) return;
    reportPrune(ctx, await pruneStoppedContainers(ctx.client, flags.filter));
  },
});
