import { humanSize } from '#/base/units.ts';
import { imageHistory } from '#/client/images.ts';
import type { ImageHistoryItem } from '#/wire/images.ts';
import { type Command, defineCommand } from '../../command.ts';
import { boolFlag, stringFlag } from '../../flags/flag.ts';
import { idFormatter } from '../../format/ids.ts';
import { type ListKind, parseListFormat, renderList } from '../../format/list.ts';
import { ellipsis } from '../../format/tabwriter.ts';
import { ago, localRfc3339 } from '../../format/times.ts';
import { platformQuery } from '../../platforms.ts';
import { listFormatUsage } from '../../usage-texts.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] IMAGE',
  arity: { min: 1, max: 1 },
  flags: {
    format: stringFlag(listFormatUsage),
    human: boolFlag('Show sizes and times for people', { short: 'H', initial: true }),
    'no-trunc': boolFlag('Show all of long values'),
    platform: stringFlag('Of this variant of the image (os[/arch[/variant]])'),
    quiet: boolFlag('Only print identifiers', { short: 'q' }),
  },
  async run({ client, stdout }, { flags, args: [name = ''] }) {
    const format = parseListFormat(flags.format, {
      standard: `table {{.ID}}\t{{.Created${flags.human ? 'Since' : 'At'}}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}`,
      quiet: flags.quiet ? '{{.ID}}' : undefined,
    });
    const kind = historyKind({ truncate: !flags['no-trunc'], human: flags.human });
    stdout.write(
      renderList(kind, await imageHistory(client, name, { platform: platformQuery(flags.platform) }), format),
    );
  },
});

/** Images that say that they are older than 2000 do not say when they were made. */
const epoch = Date.UTC(2000, 0, 1) / 1000;

function historyKind({ truncate, human }: { truncate: boolean; human: boolean }): ListKind<ImageHistoryItem> {
  const column = (header: string, value: (row: ImageHistoryItem) => string) => ({ header, value });
  const since = (created: number): string => (created <= epoch ? 'N/A' : ago(created));
  return {
    type: '*image.historyContext',
    columns: {
      ID: column('IMAGE', ({ Id }) => idFormatter(truncate)(Id)),
      CreatedSince: column('CREATED', ({ Created }) => (human ? since(Created) : localRfc3339(Created))),
      CreatedAt: column('CREATED AT', ({ Created }) => localRfc3339(Created)),
      CreatedBy: column('CREATED BY', ({ CreatedBy }) => {
        const text = CreatedBy.replaceAll('\t', ' ');
        return truncate ? ellipsis(text, 45) : text;
      }),
      Size: column('SIZE', ({ Size }) => (human ? humanSize(Size, 3) : String(Size))),
      Comment: column('COMMENT', ({ Comment }) => Comment),
    },
  };
}
