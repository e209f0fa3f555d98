import { type Command, defineCommand } from '../../command.ts';
import { boolFlag, stringFlag } from '../../flags/flag.ts';
import { parseListFormat, renderList } from '../../format/list.ts';
import { statsKind, statsTable } from '../../format/stats.ts';
import { StatsWatcher } from '../../stats-watcher.ts';
import { listFormatUsage } from '../../usage-texts.ts';

const refresh = 500;

export const command: Command = defineCommand({
  usage: '[OPTIONS] [CONTAINER...]',
  arity: {},
  flags: {
    all: boolFlag('Show stopped containers too', { short: 'a' }),
    format: stringFlag(listFormatUsage),
    'no-stream': boolFlag('Show one sample and end'),
    'no-trunc': boolFlag('Show all of long values'),
  },
  async run({ client, config, stdout }, { flags, args }) {
    const format = parseListFormat(flags.format || config.values.statsFormat, { standard: statsTable });
    const kind = statsKind({ truncate: !flags['no-trunc'] });
    const stream = !flags['no-stream'];
    using watcher = new StatsWatcher(client, { stream, all: flags.all });
    await (args.length === 0 ? watcher.watchAll() : watcher.watch(args));
    if (!stream) {
      stdout.write(renderList(kind, watcher.samples(), format));
      return;
    }
    for (;;) {
      const text = renderList(kind, watcher.samples(), format);
      // Home; each line erases what is left of the longer one that it covers; then what is below.
      stdout.write(`\u001b[H${text.replaceAll('\n', ' \u001b[K\n')}\u001b[J`);
      if (await watcher.ended(refresh)) return;
    }
  },
});
