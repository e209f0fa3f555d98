import { listVolumes } from '#/client/volumes.ts';
import { type Command, defineCommand } from '../../command.ts';
import { boolFlag, filterFlag, stringFlag } from '../../flags/flag.ts';
import { naturalOrder } from '../../format/ids.ts';
import { parseListFormat, renderList } from '../../format/list.ts';
import { volumeKind } from '../../format/volumes.ts';
import { listFormatUsage } from '../../usage-texts.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS]',
  arity: { max: 0 },
  flags: {
    filter: filterFlag('Only those that match, e.g. "dangling=true"', { short: 'f' }),
    format: stringFlag(listFormatUsage),
    quiet: boolFlag('Only print names', { short: 'q' }),
  },
  async run({ client, config, stdout }, { flags }) {
    const format = parseListFormat(flags.format || (flags.quiet ? '' : config.values.volumesFormat), {
      standard: 'table {{.Driver}}\t{{.Name}}',
      quiet: flags.quiet ? '{{.Name}}' : undefined,
      raw: flags.quiet ? 'name: {{.Name}}' : 'name: {{.Name}}\ndriver: {{.Driver}}\n',
    });
    const { Volumes } = await listVolumes(client, flags.filter);
    const volumes = [...(Volumes ?? [])].sort((a, b) => naturalOrder(a.Name, b.Name));
    stdout.write(renderList(volumeKind, volumes, format));
  },
});
