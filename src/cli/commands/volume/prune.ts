import { type Command, defineCommand } from '../../command.ts';
import { boolFlag, filterFlag } from '../../flags/flag.ts';
import { confirm, pruneUnusedVolumes, reportPrune } from '../../prune.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS]',
  arity: { max: 0 },
  flags: {
    all: boolFlag('Named volumes too, not only anonymous ones', { short: 'a' }),
    filter: filterFlag('Only those that match, e.g. "label=name"'),
    force: boolFlag('Do not ask', { short: 'f' }),
  },
  async run(ctx, { flags }) {
    if (flags.all && flags.filter['all'] !== undefined) {
      throw new Error('conflicting options: cannot specify both --all and --filter all=1');
    }
    const which = flags.all ? 'local volumes' : 'anonymous local volumes';
    const warning = `WARNING! This will remove ${flags.all ? 'all ' : ''}${which} not used by at least one container.`;
    if (!flags.force && !(await confirm(ctx, warning))) return;
    reportPrune(ctx, await pruneUnusedVolumes(ctx.client, flags.filter, flags));
  },
});
