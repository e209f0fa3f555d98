import { parseDigest } from '#/oci/digest.ts';
import type { Status } from '../progress.ts';
import type { Output } from '../request.ts';
import type { VertexReport } from '../solve/vertex-report.ts';
import type { PlatformImage } from './image-package.ts';
import type { OutputReport } from './package-result.ts';
import { type StoreParts, storeResult } from './store-result.ts';
import { type Transfer, transferResult } from './transfer.ts';

/** What an output is made with, and whom it is told. */
export interface OutputControl extends Omit<Transfer, 'parts' | 'progress'> {
  readonly parts: StoreParts;
  readonly report: VertexReport;
}

/** Brings the result of a build where an output says. */
export async function sendOutput(
  output: Output,
  images: readonly PlatformImage[],
  { parts, report, ...control }: OutputControl,
): Promise<OutputReport> {
  const progress = (status: Status): void => report.status(status);
  const transfer = { parts, ...control, progress };
  switch (output.kind) {
    case 'cacheonly':
      return { metadata: new Map() };
    case 'image':
      return storeResult(output, images, transfer);
    case 'registry': {
      const said = await transferResult(output, images, transfer);
      if (!output.store) return said;
      // What is stored has other digests than what was pushed: its layers are not compressed.
      const { stored } = await storeResult(output, images, transfer);
      const digest = parseDigest(said.metadata.get('containerimage.digest') ?? '');
      for (const name of output.names) parts.images.images.name(stored, { ...name, tag: undefined, digest });
      return { ...said, stored };
    }
    case 'docker':
    case 'oci':
    case 'tar':
    case 'local':
      return transferResult(output, images, transfer);
    default:
      return output satisfies never;
  }
}
