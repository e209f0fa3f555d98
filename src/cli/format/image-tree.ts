import { humanSize } from '#/base/units.ts';
import { formatPlatform } from '#/oci/platform.ts';
import type { ImageManifest, ImageSummary } from '#/wire/images.ts';
import type { Output } from '../command.ts';
import { truncateId } from './ids.ts';
import { displayWidth, ellipsis } from './tabwriter.ts';

/** What the columns show of an image or of one of its variants. */
interface Details {
  readonly id: string;
  readonly diskUsage: string;
  readonly contentSize: string;
  readonly inUse: boolean;
}

interface Variant {
  readonly platform: string;
  readonly available: boolean;
  readonly details: Details;
}

interface Tree {
  /** The longest first. */
  readonly names: readonly string[];
  readonly details: Details;
  readonly variants: readonly Variant[];
}

interface Column {
  readonly title: string;
  readonly width: number;
  readonly align: 'left' | 'right';
  readonly value: (details: Details) => string;
}

type Paint = (text: string) => string;

/** Between columns. */
const gap = '   ';
/** Columns are left out before that of the names becomes narrower. */
const minNameWidth = 12;
const defaultWidth = 80;
const minWidth = 20;

/** Columns after that of the names. */
const allColumns: readonly Column[] = [
  { title: 'ID', width: 12, align: 'left', value: ({ id }) => id },
  { title: 'DISK USAGE', width: 10, align: 'right', value: ({ diskUsage }) => diskUsage },
  { title: 'CONTENT SIZE', width: 12, align: 'right', value: ({ contentSize }) => contentSize },
  { title: 'EXTRA', width: 5, align: 'left', value: ({ inUse }) => (inUse ? 'U' : '') },
];

/** The images, newest first, each with its variants for platforms below it, fitted to the width of the output. */
export function imageTree(images: readonly ImageSummary[], { isTTY, columns: given }: Output): string {
  const width = Math.max(minWidth, given || defaultWidth);
  const paint = (codes: string): Paint =>
    isTTY ? (text) => `\u001b[${codes}m${text}\u001b[0m` : (text) => text;
  const trees = images.toSorted((a, b) => b.Created - a.Created).map(treeOf);
  const columns = fittingColumns(width);
  const nameWidth = Math.min(
    nameRoom(width, columns),
    Math.max(...['IMAGE', ...trees.flatMap(labels)].map(displayWidth)),
  );
  const names: Column = { title: 'IMAGE', width: nameWidth, align: 'left', value: () => '' };
  const row = (name: string, details: Details, style: Paint): string =>
    [style(cell(name, names)), ...columns.map((column) => cell(column.value(details), column))]
      .join(gap)
      .trimEnd();
  const isSpaced = trees.some(({ variants }) => variants.length > 0);
  const legend = ' Info ->  U In Use';
  const lines = [
    legend.padStart(width - 1),
    '',
    paint('1')(
      [names, ...columns]
        .map((column) => cell(column.title, column))
        .join(gap)
        .trimEnd(),
    ),
    ...trees.flatMap(({ names: all, details, variants }) => [
      ...all.slice(0, -1).map((name) => paint('1;34')(ellipsis(name, width))),
      row(all.at(-1) ?? '<untagged>', details, paint(all.length === 0 ? '2' : '1;34')),
      ...variants.map(({ platform, available, details: own }, index) =>
        row(`${index === variants.length - 1 ? '└─' : '├─'} ${platform}`, own, paint(available ? '0' : '2')),
      ),
      ...(isSpaced ? [''] : []),
    ]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function treeOf({ Id, Size, Containers, RepoTags, Manifests }: ImageSummary): Tree {
  const manifests = Manifests ?? [];
  const variants = manifests.flatMap(variantOf);
  const content = manifests.reduce((sum, manifest) => sum + manifest.Size.Content, 0);
  return {
    names: (RepoTags ?? []).toSorted((a, b) => b.length - a.length),
    details: {
      id: truncateId(Id),
      diskUsage: humanSize(Size, 3),
      contentSize: humanSize(content, 3),
      inUse: Containers > 0 || variants.some(({ details }) => details.inUse),
    },
    variants,
  };
}

function variantOf({ ID, Available, Size, ImageData }: ImageManifest): Variant[] {
  if (ImageData === undefined) return [];
  const { architecture, os, variant = '' } = ImageData.Platform;
  const details = {
    id: truncateId(ID),
    diskUsage: humanSize(Size.Total, 3),
    contentSize: humanSize(Size.Content, 3),
    inUse: (ImageData.Containers ?? []).length > 0,
  };
  const platform = formatPlatform({ architecture, os, variant, osVersion: '' });
  return [{ platform, available: Available, details }];
}

const labels = ({ names, variants }: Tree): string[] => [
  ...(names.length === 0 ? ['<untagged>'] : names),
  ...variants.map(({ platform }) => `└─ ${platform}`),
];

/** As many columns as leave room for the names. */
function fittingColumns(width: number): readonly Column[] {
  const fitting = allColumns.findLastIndex(
    (_column, index) => nameRoom(width, allColumns.slice(0, index + 1)) >= minNameWidth,
  );
  return allColumns.slice(0, fitting + 1);
}

function nameRoom(width: number, columns: readonly Column[]): number {
  return width - columns.reduce((sum, column) => sum + column.width + gap.length, 0);
}

function cell(text: string, { width, align }: Column): string {
  const cut = ellipsis(text, width);
  const space = ' '.repeat(Math.max(0, width - displayWidth(cut)));
  return align === 'left' ? cut + space : space + cut;
}
