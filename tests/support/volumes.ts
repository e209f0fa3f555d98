import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '#/state/db.ts';
import { VolumeStore } from '#/storage/volumes.ts';

/** An empty volume store in a temporary folder. */
export interface VolumeScratch extends AsyncDisposable {
  readonly root: string;
  readonly store: VolumeStore;
  /** What a restart of the daemon would find. */
  readonly reopen: () => Promise<VolumeStore>;
}

/** Opens an empty volume store; it goes, with what its volumes have mounted, when it is disposed of. */
export async function openVolumes(): Promise<VolumeScratch> {
  const dir = mkdtempSync(join(tmpdir(), 'skiff-volumes-'));
  const root = join(dir, 'volumes');
  const db = new Database(':memory:');
  const reopen = (): Promise<VolumeStore> => VolumeStore.open({ db, root });
  return {
    root,
    store: await reopen(),
    reopen,
    [Symbol.asyncDispose]: async () => {
      (await reopen()).reconcile({ containers: new Set() });
      db.close();
      rmSync(dir, { recursive: true });
    },
  };
}
