import { goQuote } from '#/base/go-quote.ts';
import { humanSize } from '#/base/units.ts';
import type { ContainerSummary } from '#/wire/container-inspect.ts';
import type { OciPlatform } from '#/wire/images.ts';
import type { GoValue } from './go-values.ts';
import { familiarImage, joinLabels, labelMethod, truncateId } from './ids.ts';
import type { ListKind } from './list.ts';
import { displayPorts } from './ports.ts';
import { ellipsis } from './tabwriter.ts';
import { ago, localTime } from './times.ts';

/** What listings of containers show by default. */
export const containerTable =
  'table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}';

/** `--format raw`. */
export const containerRaw = `container_id: {{.ID}}
image: {{.Image}}
command: {{.Command}}
created_at: {{.CreatedAt}}
state: {{- pad .State 1 0}}
status: {{- pad .Status 1 0}}
names: {{.Names}}
labels: {{- pad .Labels 1 0}}
ports: {{- pad .Ports 1 0}}
`;

/** The columns of a listing of containers; `truncate` is off with --no-trunc. */
export function containerKind({ truncate }: { truncate: boolean }): ListKind<ContainerSummary> {
  const column = (header: string, value: (row: ContainerSummary) => GoValue) => ({ header, value });
  return {
    type: '*formatter.ContainerContext',
    columns: {
      ID: column('CONTAINER ID', (row) => (truncate ? truncateId(row.Id) : row.Id)),
      Names: column('NAMES', (row) => displayNames(row.Names, truncate)),
      Image: column('IMAGE', (row) => displayImage(row, truncate)),
      Command: column('COMMAND', (row) => goQuote(truncate ? ellipsis(row.Command, 20) : row.Command)),
      CreatedAt: column('CREATED AT', (row) => localTime(row.Created)),
      RunningFor: column('CREATED', (row) => ago(row.Created)),
      Platform: column('PLATFORM', ({ ImageManifestDescriptor: image }) => displayPlatform(image?.platform)),
      Ports: column('PORTS', (row) => displayPorts(row.Ports)),
      State: column('STATE', (row) => row.State),
      Status: column('STATUS', (row) => row.Status),
      Size: column('SIZE', displaySize),
      Labels: column('LABELS', (row) => joinLabels(row.Labels)),
      Mounts: column('MOUNTS', (row) =>
        row.Mounts.map(({ Name, Source }) => Name || Source)
          .map((name) => (truncate ? ellipsis(name, 15) : name))
          .join(','),
      ),
      LocalVolumes: column('LOCAL VOLUMES', (row) =>
        String(row.Mounts.filter(({ Driver }) => Driver === 'local').length),
      ),
      Networks: column('NETWORKS', (row) => Object.keys(row.NetworkSettings.Networks).join(',')),
    },
    methods: (row) => ({ Label: labelMethod(row.Labels) }),
  };
}

/** Legacy links give a container more names, with a slash inside. */
function displayNames(names: readonly string[], truncate: boolean): string {
  const plain = names.map((name) => name.replace(/^\//, ''));
  if (!truncate) return plain.join(',');
  return plain.filter((name) => !name.includes('/')).join(',');
}

function displayImage({ Image, ImageID }: ContainerSummary, truncate: boolean): string {
  if (Image === '') return '<no image>';
  if (!truncate) return Image;
  if (truncateId(ImageID) === truncateId(Image)) return truncateId(Image);
  return familiarImage(Image);
}

/** `null` where images do not come in several platforms. */
function displayPlatform(platform: OciPlatform | undefined): string | null {
  if (platform === undefined) return null;
  return [platform.os, platform.architecture, platform.variant]
    .filter((part) => part !== undefined)
    .join('/');
}

function displaySize({ SizeRw = 0, SizeRootFs = 0 }: ContainerSummary): string {
  const own = humanSize(SizeRw, 3);
  return SizeRootFs > 0 ? `${own} (virtual ${humanSize(SizeRootFs, 3)})` : own;
}
