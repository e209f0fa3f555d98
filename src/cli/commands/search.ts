import { searchImages } from '#/client/images.ts';
import type { SearchResult } from '#/wire/registry.ts';
import { type Command, defineCommand } from '../command.ts';
import { boolFlag, filterFlag, intFlag, stringFlag } from '../flags/flag.ts';
import { type ListKind, parseListFormat, renderList } from '../format/list.ts';
import { ellipsis } from '../format/tabwriter.ts';
import { wantedAuth } from '../pull.ts';
import { listFormatUsage } from '../usage-texts.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] TERM',
  description:
    'Search a registry for images.\nTERM may begin with a registry and a slash; else it is Docker Hub.',
  arity: { min: 1, max: 1 },
  flags: {
    filter: filterFlag('Only those that match, e.g. "is-official=true" or "stars=3"', { short: 'f' }),
    format: stringFlag(listFormatUsage),
    limit: intFlag('At most so many'),
    'no-trunc': boolFlag('Show all of long values'),
  },
  async run(ctx, { flags, args: [term = ''] }) {
    if ('is-automated' in flags.filter) ctx.stderr.write(automatedWarning);
    const format = parseListFormat(flags.format, {
      standard: 'table {{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}',
    });
    const results = await searchImages(ctx.client, term, {
      limit: flags.limit,
      filters: flags.filter,
      registryAuth: await wantedAuth(ctx, registryOf(term)),
    });
    ctx.stdout.write(renderList(searchKind({ truncate: !flags['no-trunc'] }), results, format));
  },
});

const automatedWarning =
  'WARNING: the "is-automated" filter is deprecated, and searching for "is-automated=true" will not yield any results in future.\n';

/** The registry that a search goes to. */
function registryOf(term: string): string {
  const [first = '', ...rest] = term.split('/');
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? first : 'docker.io';
}

/** Whoever owns a repository writes its description; it must not steer the terminal. */
const printable = (text: string): string => text.replaceAll(/\p{Cc}/gu, ' ');

function searchKind({ truncate }: { truncate: boolean }): ListKind<SearchResult> {
  return {
    type: '*registry.searchContext',
    columns: {
      Name: { header: 'NAME', value: ({ name }) => printable(name) },
      Description: {
        header: 'DESCRIPTION',
        value({ description }) {
          const line = printable(description);
          return truncate ? ellipsis(line, 45) : line;
        },
      },
      StarCount: { header: 'STARS', value: ({ star_count }) => String(star_count) },
      IsOfficial: {
        header: 'OFFICIAL',
        value: ({ is_official }) => (is_official ? '[OK]' : ''),
        json: ({ is_official }) => String(is_official),
      },
    },
  };
}
