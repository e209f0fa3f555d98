import { listImages } from '#/client/images.ts';
import { type Command, defineCommand } from '../../command.ts';
import { boolFlag, filterFlag, stringFlag } from '../../flags/flag.ts';
import { imageKind, imageRows, isDangling } from '../../format/images.ts';
import { parseListFormat, renderList } from '../../format/list.ts';
import { listFormatUsage } from '../../usage-texts.ts';

/** Verbs that people mistakenly give to `images` instead of `image`. */
const verbs = new Set('build history import inspect list load ls prune pull push rm save tag'.split(' '));

export const command: Command = defineCommand({
  usage: '[OPTIONS] [REPOSITORY[:TAG]]',
  arity: { max: 1 },
  flags: {
    all: boolFlag('Show intermediate images too', { short: 'a' }),
    digests: boolFlag('Show digests'),
    filter: filterFlag('Only those that match, e.g. "dangling=true"', { short: 'f' }),
    format: stringFlag(listFormatUsage),
    'no-trunc': boolFlag('Show all of long values'),
    quiet: boolFlag('Only print identifiers', { short: 'q' }),
    tree: boolFlag('Show the variants of images for several platforms below them'),
  },
  async run({ client, config, stdout, stderr }, { flags, args: [name], path }) {
    const filters =
      name === undefined
        ? flags.filter
        : { ...flags.filter, reference: [...(flags.filter['reference'] ?? []), name] };
    if (flags.tree) {
      checkTreeFlags(flags);
      const { imageTree } = await import('../../format/image-tree.ts');
      const images = await listImages(client, { all: flags.all, manifests: true, filters });
      stdout.write(imageTree(flags.all ? images : images.filter((image) => !isDangling(image)), stdout));
      return;
    }
    const source = flags.format || (flags.quiet ? '' : config.values.imagesFormat);
    const wantsDigests = flags.digests || source.includes('{{.Digest}}');
    const extra =
      flags.digests && source.startsWith('table ') && !source.includes('{{.Digest}}') ? '\t{{.Digest}}' : '';
    const format = parseListFormat(source + extra, {
      standard: `table {{.Repository}}\t{{.Tag}}\t${flags.digests ? '{{.Digest}}\t' : ''}{{.ID}}\t{{.CreatedSince}}\t{{.Size}}`,
      quiet: flags.quiet ? '{{.ID}}' : undefined,
      raw: rawFormat(flags),
    });
    const images = await listImages(client, { all: flags.all, filters });
    const rows = images.flatMap((image) => imageRows(image, { digests: wantsDigests }));
    stdout.write(renderList(imageKind({ truncate: !flags['no-trunc'] }), rows, format));
    if (name !== undefined && images.length === 0 && verbs.has(name) && path === 'skiff images') {
      stderr.write(
        `\nNo images found matching ${JSON.stringify(name)}: did you mean "skiff image ${name}"?\n`,
      );
    }
  },
});

function rawFormat({ quiet, digests }: { quiet: boolean; digests: boolean }): string {
  if (quiet) return 'image_id: {{.ID}}';
  const digest = digests ? 'digest: {{.Digest}}\n' : '';
  return `repository: {{.Repository}}\ntag: {{.Tag}}\n${digest}image_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n`;
}

function checkTreeFlags(flags: {
  readonly quiet: boolean;
  readonly 'no-trunc': boolean;
  readonly digests: boolean;
  readonly format: string;
}): void {
  const refused = (['quiet', 'no-trunc', 'digests', 'format'] as const).find((name) => Boolean(flags[name]));
  if (refused === undefined) return;
  throw new Error(`--${refused === 'digests' ? 'show-digest' : refused} is not yet supported with --tree`);
}
