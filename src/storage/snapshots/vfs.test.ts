import { snapshotterContract } from './snapshotter.contract.ts';
import { openVfs } from './vfs.ts';

snapshotterContract('vfs', openVfs);
