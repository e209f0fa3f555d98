import { humanSize } from '#/base/units.ts';
import { diskUsage } from '#/client/system.ts';
import { type Command, defineCommand } from '../../command.ts';
import { boolFlag, filterFlag, stringFlag } from '../../flags/flag.ts';
import { cacheDetails, cacheRecordKind, matchesFilters } from '../../format/build-cache.ts';
import { parseListFormat, renderList } from '../../format/list.ts';
import { listFormatUsage } from '../../usage-texts.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS]',
  arity: { max: 0 },
  flags: {
    filter: filterFlag('Only records that match, e.g. "type=regular"'),
    format: stringFlag(listFormatUsage),
    verbose: boolFlag('Show everything about each record'),
  },
  async run({ client, stdout }, { flags }) {
    if (flags.verbose && flags.format !== '')
      throw new Error('--format and --verbose cannot be used together');
    const { BuildCache } = await diskUsage(client, { type: 'build-cache' });
    const records = (BuildCache ?? []).filter((record) => matchesFilters(record, flags.filter));
    if (flags.verbose) {
      stdout.write(records.map(cacheDetails).join('\n'));
    } else {
      const format = parseListFormat(flags.format, {
        standard: 'table {{.ID}}\t{{.Reclaimable}}\t{{.Size}}\t{{.LastAccessed}}',
      });
      stdout.write(renderList(cacheRecordKind, records, format));
    }
    if (flags.format !== '') return;
    const sum = (wanted: (typeof records)[number][]): string =>
      humanSize(wanted.reduce((total, { Size }) => total + Size, 0));
    const lines: [string, string][] = [
      ['Shared', sum(records.filter(({ Shared }) => Shared))],
      ['Private', sum(records.filter(({ Shared }) => !Shared))],
      ['Reclaimable', sum(records.filter(({ InUse }) => !InUse))],
      ['Total', sum([...records])],
    ];
    stdout.write(
      `${flags.verbose && records.length > 0 ? '\n' : ''}${lines.map(([name, size]) => `${`${name}:`.padEnd(16)}${size}\n`).join('')}`,
    );
  },
});
