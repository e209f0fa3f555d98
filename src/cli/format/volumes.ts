import { humanSize } from '#/base/units.ts';
import type { Volume } from '#/wire/volumes.ts';
import { joinLabels, labelMethod } from './ids.ts';
import type { ListKind } from './list.ts';

const column = (header: string, value: (row: Volume) => string) => ({ header, value });

/** The columns of a listing of volumes. Those about clusters never have a value. */
export const volumeKind: ListKind<Volume> = {
  type: '*formatter.volumeContext',
  columns: {
    Name: column('VOLUME NAME', (row) => row.Name),
    Driver: column('DRIVER', (row) => row.Driver),
    Scope: column('SCOPE', (row) => row.Scope),
    Mountpoint: column('MOUNTPOINT', (row) => row.Mountpoint),
    Labels: column('LABELS', (row) => joinLabels(row.Labels)),
    Links: column('LINKS', (row) => (row.UsageData === undefined ? 'N/A' : String(row.UsageData.RefCount))),
    Size: column('SIZE', (row) => (row.UsageData === undefined ? 'N/A' : humanSize(row.UsageData.Size))),
    Group: column('GROUP', () => 'N/A'),
    Availability: column('AVAILABILITY', () => 'N/A'),
    Status: column('STATUS', () => 'N/A'),
  },
  methods: (row) => ({ Label: labelMethod(row.Labels) }),
};
