import { type Command, defineCommand } from '../../command.ts';
import { boolFlag, filterFlag } from '../../flags/flag.ts';
import { confirm, pruneUnusedImages, reportPrune } from '../../prune.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS]',
  arity: { max: 0 },
  flags: {
    all: boolFlag('Every image without a container, not only those without a name', { short: 'a' }),
    filter: filterFlag('Only those that match, e.g. "until=24h"'),
    force: boolFlag('Do not ask', { short: 'f' }),
  },
  async run(ctx, { flags }) {
    const which = flags.all ? 'images without at least one container associated to them' : 'dangling images';
    if (!flags.force && !(await confirm(ctx, `WARNING! This will remove all ${which}.`))) return;
    reportPrune(ctx, await pruneUnusedImages(ctx.client, flags.filter, flags));
  },
});
