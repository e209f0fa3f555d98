import { notImplemented } from '#/base/errors.ts';
import { digestOf } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { canonicalString, type Reference } from '#/oci/reference.ts';
import type { AddedImage } from '#/storage/images/record.ts';
import type { Status } from '../progress.ts';
import type { Output } from '../request.ts';
import type { VertexReport } from '../solve/vertex-report.ts';
import type { PlatformImage } from './image-package.ts';
import { storeImage } from './store-image.ts';
import { type OutputReport, type Transfer, type TransferParts, transferResult } from './transfer.ts';

/** What outputs are made with. */
export interface OutputParts extends TransferParts {
  /** Hears of images that have come into the store. */
  readonly onStored: (added: AddedImage) => void;
}

/** What an output is made with, and whom it is told. */
export interface OutputControl extends Omit<Transfer, 'parts' | 'progress'> {
  readonly parts: OutputParts;
  readonly report: VertexReport;
}

/** Brings the result of a build where an output says. */
export async function sendOutput(
  output: Output,
  images: readonly PlatformImage[],
  { parts, report, ...control }: OutputControl,
): Promise<OutputReport> {
  switch (output.kind) {
    case 'cacheonly':
      return { metadata: new Map() };
    case 'image':
      return stored(images, output.names, { parts, report });
    case 'registry': {
      const progress = (status: Status): void => report.status(status);
      const said = await transferResult(output, images, { parts, ...control, progress });
      // What is stored has other digests than what was pushed: its layers are not compressed.
      if (output.store) await stored(images, output.names, { parts, report });
      return said;
    }
    case 'docker':
    case 'oci':
    case 'tar':
    case 'local': {
      const progress = (status: Status): void => report.status(status);
      return transferResult(output, images, { parts, ...control, progress });
    }
    default:
      return output satisfies never;
  }
}

async function stored(
  images: readonly PlatformImage[],
  names: readonly Reference[],
  { parts, report }: Pick<OutputControl, 'parts' | 'report'>,
): Promise<OutputReport> {
  const [image, ...more] = images;
  if (image === undefined || more.length > 0)
    throw notImplemented('storing an image for several platforms is not implemented');
  const id = digestOf(image.configBytes);
  const started = new Date();
  report.status({ id: `writing image ${id}`, current: 0, total: 0, started });
  const added = await storeImage(parts.images, image, names);
  report.status({ id: `writing image ${id}`, current: 0, total: 0, started, completed: new Date() });
  for (const name of names) {
    const now = new Date();
    const id = `naming to ${canonicalString(name)}`;
    report.status({ id, current: 0, total: 0, started: now, completed: now });
  }
  parts.onStored(added);
  const bytes = image.configBytes;
  const descriptor = { mediaType: mediaTypes.dockerConfig, digest: id, size: bytes.length };
  const metadata = new Map<string, string>([
    ['containerimage.config.digest', id],
    // In a store of images by configuration that is what the image is called.
    ['containerimage.digest', id],
    ...(names.length === 0 ? [] : [['image.name', names.map(canonicalString).join(',')] as const]),
  ]);
  return { metadata, image: { descriptor, documents: [{ descriptor, bytes }] } };
}
