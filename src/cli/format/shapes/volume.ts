import { map, pointer, type Shape, struct } from '../shape.ts';
import { labels } from './common.ts';

/** `docker volume inspect`. */
export const volumeShape: Shape = struct('volume.Volume', {
  'ClusterVolume?': pointer('any'),
  'CreatedAt?': 'string',
  Driver: 'string',
  Labels: labels,
  Mountpoint: 'string',
  Name: 'string',
  Options: labels,
  Scope: 'string',
  'Status?': map('any'),
  'UsageData?': pointer(struct('volume.UsageData', { RefCount: 'int', Size: 'int' })),
});
