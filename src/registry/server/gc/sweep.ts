import type { Services } from '../services.ts';
import type { Collector } from './collector.ts';

/**
 * Puts in order what a process left that was killed: uploads of which only the bytes or only the record are there, and blobs that
 * were stored but not yet linked. For a start at which no other process works on the same content.
 */
export async function sweepAfterCrash({ storage, metadata }: Services, collector: Collector): Promise<void> {
  for await (const id of storage.uploads()) {
    if ((await metadata.uploads.get(id)) === undefined) await storage.cancel(id);
  }
  let wasCommitting = false;
  for (const { id } of await metadata.uploads.stale(Number.MAX_SAFE_INTEGER)) {
    if ((await storage.uploaded(id)) !== undefined) continue;
    // Its bytes may have become a blob, and the record would have gone next.
    wasCommitting = true;
    await metadata.uploads.end(id);
  }
  if (wasCommitting) await collector.dropOrphans({ before: Number.POSITIVE_INFINITY, dryRun: false });
}
