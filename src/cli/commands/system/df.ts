import { diskUsage } from '#/client/system.ts';
import type { DiskUsage } from '#/wire/system.ts';
import { type Command, defineCommand } from '../../command.ts';
import { boolFlag, stringFlag } from '../../flags/flag.ts';
import {
  type DiskUsageRow,
  diskUsageDetails,
  diskUsageKind,
  diskUsageRows,
} from '../../format/disk-usage.ts';
import { parseListFormat, renderList } from '../../format/list.ts';
import { listFormatUsage } from '../../usage-texts.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS]',
  arity: { max: 0 },
  flags: {
    format: stringFlag(listFormatUsage),
    verbose: boolFlag('Show each image, container and volume', { short: 'v' }),
  },
  async run({ client, stdout }, { flags }) {
    if (flags.verbose && !['', 'table'].includes(flags.format)) {
      throw new Error('--verbose prints tables; leave --format out');
    }
    const format = parseListFormat(flags.format, {
      standard: 'table {{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}',
      raw: 'type: {{.Type}}\ntotal: {{.TotalCount}}\nactive: {{.Active}}\nsize: {{.Size}}\nreclaimable: {{.Reclaimable}}\n',
    });
    const usage: DiskUsage = await diskUsage(client);
    const rows: DiskUsageRow[] = diskUsageRows(usage);
    stdout.write(flags.verbose ? diskUsageDetails(usage) : renderList(diskUsageKind, rows, format));
  },
});
