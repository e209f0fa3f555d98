import { messageOf } from '#/base/errors.ts';
import { listContainers } from '#/client/containers.ts';
import type { ContainerSummary } from '#/wire/container-inspect.ts';
import { type Command, defineCommand } from '../../command.ts';
import { boolFlag, filterFlag, intFlag, stringFlag } from '../../flags/flag.ts';
import { containerKind, containerRaw, containerTable } from '../../format/containers.ts';
import { parseListFormat, renderList, rowStruct } from '../../format/list.ts';
import { Template } from '../../format/template.ts';
import { listFormatUsage } from '../../usage-texts.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS]',
  arity: { max: 0 },
  flags: {
    all: boolFlag('Show stopped containers too', { short: 'a' }),
    filter: filterFlag('Only those that match, e.g. "status=exited"', { short: 'f' }),
    format: stringFlag(listFormatUsage),
    last: { ...intFlag('Show the N newest containers in any state', { short: 'n' }), initial: -1 },
    latest: boolFlag('Show the newest container in any state', { short: 'l' }),
    'no-trunc': boolFlag('Show all of long values'),
    quiet: boolFlag('Only print identifiers', { short: 'q' }),
    size: boolFlag('Show disk usage', { short: 's' }),
  },
  async run({ client, config, stdout, stderr }, { flags, given }) {
    if (flags.format !== '' && flags.quiet) {
      stderr.write('WARNING: Ignoring custom format, because both --format and --quiet are set.\n');
    }
    if (flags.format !== '') tryFormat(flags.format);
    const source = flags.format || config.values.psFormat;
    const ignored = flags.quiet && source !== 'raw';
    const sizeColumn = flags.size ? '\t{{.Size}}' : '';
    const format = parseListFormat(ignored ? '' : source, {
      standard: containerTable + sizeColumn,
      quiet: flags.quiet ? '{{.ID}}' : undefined,
      raw: flags.quiet ? 'container_id: {{.ID}}' : containerRaw + (flags.size ? 'size: {{.Size}}\\n' : ''),
    });
    const containers = await listContainers(client, {
      all: flags.all,
      limit: flags.latest && flags.last === -1 ? 1 : flags.last,
      size:
        flags.size ||
        (!given.has('size') && flags.format !== '' && !flags.quiet && format.template.reads('Size')),
      filters: flags.filter,
    });
    stdout.write(renderList(containerKind({ truncate: !flags['no-trunc'] }), containers, format));
  },
});

/** Tries a format on a container without properties, so that mistakes show although there may be none to list. */
function tryFormat(format: string): void {
  const nothing: ContainerSummary = {
    Id: '',
    Names: [],
    Image: '',
    ImageID: '',
    Command: '',
    Created: 0,
    Ports: [],
    Labels: {},
    State: 'created',
    Status: '',
    HostConfig: { NetworkMode: '' },
    NetworkSettings: { Networks: {} },
    Mounts: [],
  };
  const template = attempt('parse', () => new Template(format));
  attempt('execute', () => template.execute(rowStruct(containerKind({ truncate: false }), nothing)));
}

function attempt<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Error(`failed to ${what} template: ${messageOf(error)}`, { cause: error });
  }
}
