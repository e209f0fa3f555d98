import { type Command, defineCommand } from '../../command.ts';
import { aliasOf, boolFlag, bytesFlag, filterFlag } from '../../flags/flag.ts';
import { confirm, pruneUnusedCache, reportPrune } from '../../prune.ts';

export const command: Command = defineCommand({
  usage: '',
  arity: { max: 0 },
  flags: {
    all: boolFlag('Everything that no build works with, not only what nothing builds on', { short: 'a' }),
    filter: filterFlag('Only what matches, e.g. "until=24h"'),
    force: boolFlag('Do not ask', { short: 'f' }),
    'keep-storage': aliasOf('reserved-space'),
    'max-used-space': bytesFlag('Keep no more than that'),
    'min-free-space': bytesFlag('Remove until that much of the disk is free'),
    'reserved-space': bytesFlag('Keep that much in any case'),
  },
  async run(ctx, { flags }) {
    const what = flags.all ? 'all build cache' : 'all dangling build cache';
    if (!flags.force && !(await confirm(ctx, `WARNING! This will remove ${what}.`, ' '))) return;
    const space = {
      ...(flags['reserved-space'] > 0 && { reservedSpace: flags['reserved-space'] }),
      ...(flags['max-used-space'] > 0 && { maxUsedSpace: flags['max-used-space'] }),
      ...(flags['min-free-space'] > 0 && { minFreeSpace: flags['min-free-space'] }),
    };
    reportPrune(ctx, await pruneUnusedCache(ctx.client, flags.filter, { all: flags.all, ...space }));
  },
});
