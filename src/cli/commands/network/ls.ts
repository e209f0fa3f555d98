import { listNetworks } from '#/client/networks.ts';
import type { Network } from '#/wire/networks.ts';
import { type Command, defineCommand } from '../../command.ts';
import { boolFlag, filterFlag, stringFlag } from '../../flags/flag.ts';
import { GoTime } from '../../format/go-values.ts';
import { idFormatter, joinLabels, labelMethod, naturalOrder } from '../../format/ids.ts';
import { type ListKind, parseListFormat, renderList } from '../../format/list.ts';
import { listFormatUsage } from '../../usage-texts.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS]',
  arity: { max: 0 },
  flags: {
    filter: filterFlag('Only those that match, e.g. "driver=bridge"', { short: 'f' }),
    format: stringFlag(listFormatUsage),
    'no-trunc': boolFlag('Show all of long values'),
    quiet: boolFlag('Only print identifiers', { short: 'q' }),
  },
  async run({ client, config, stdout }, { flags }) {
    const format = parseListFormat(flags.format || (flags.quiet ? '' : config.values.networksFormat), {
      standard: 'table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}',
      quiet: flags.quiet ? '{{.ID}}' : undefined,
      raw: flags.quiet
        ? 'network_id: {{.ID}}'
        : 'network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n',
    });
    const networks = await listNetworks(client, flags.filter);
    networks.sort((a, b) => naturalOrder(a.Name, b.Name));
    stdout.write(renderList(networkKind({ truncate: !flags['no-trunc'] }), networks, format));
  },
});

function networkKind({ truncate }: { truncate: boolean }): ListKind<Network> {
  const column = (header: string, value: (row: Network) => string) => ({ header, value });
  return {
    type: '*network.networkContext',
    columns: {
      ID: column('NETWORK ID', ({ Id }) => idFormatter(truncate)(Id)),
      Name: column('NAME', ({ Name }) => Name),
      Driver: column('DRIVER', ({ Driver }) => Driver),
      Scope: column('SCOPE', ({ Scope }) => Scope),
      IPv4: column('IPV4', ({ EnableIPv4 }) => String(EnableIPv4)),
      IPv6: column('IPV6', ({ EnableIPv6 }) => String(EnableIPv6)),
      Internal: column('INTERNAL', ({ Internal }) => String(Internal)),
      Labels: column('LABELS', ({ Labels }) => joinLabels(Labels)),
      CreatedAt: column('CREATED AT', ({ Created }) => new GoTime(Created).toString()),
    },
    methods: ({ Labels }) => ({ Label: labelMethod(Labels) }),
  };
}
