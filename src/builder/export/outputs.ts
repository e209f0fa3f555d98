import { notImplemented } from '#/base/errors.ts';
import { digestOf } from '#/oci/digest.ts';
import { canonicalString } from '#/oci/reference.ts';
import type { AddedImage, ImageParts } from '#/storage/images/record.ts';
import type { Output } from '../request.ts';
import type { VertexReport } from '../solve/vertex-report.ts';
import type { PlatformImage } from './image-package.ts';
import { storeImage } from './store-image.ts';

/** What outputs are made with. */
export interface OutputParts {
  readonly imageParts: ImageParts;
  /** Hears of images that have come into the store. */
  readonly onStored: (added: AddedImage) => void;
}

/** What an output has to say, by BuildKit's names of it. */
export type OutputMetadata = ReadonlyMap<string, string>;

/** Brings the result of a build where an output says. */
export async function sendOutput(
  output: Output,
  images: readonly PlatformImage[],
  { parts, report }: { parts: OutputParts; report: VertexReport },
): Promise<OutputMetadata> {
  switch (output.kind) {
    case 'cacheonly':
      return new Map();
    case 'image': {
      const [image, ...more] = images;
      if (image === undefined || more.length > 0)
        throw notImplemented('storing an image for several platforms is not implemented');
      const id = digestOf(image.configBytes);
      const started = new Date();
      report.status({ id: `writing image ${id}`, current: 0, total: 0, started });
      const { added, manifest } = await storeImage(parts.imageParts, image, output.names);
      report.status({ id: `writing image ${id}`, current: 0, total: 0, started, completed: new Date() });
      for (const name of output.names) {
        const now = new Date();
        const id = `naming to ${canonicalString(name)}`;
        report.status({ id, current: 0, total: 0, started: now, completed: now });
      }
      parts.onStored(added);
      return new Map([
        ['containerimage.config.digest', id],
        ['containerimage.digest', manifest],
        ...(output.names.length === 0
          ? []
          : [['image.name', output.names.map(canonicalString).join(',')] as const]),
      ]);
    }
    case 'registry':
    case 'docker':
    case 'oci':
    case 'tar':
    case 'local':
      throw notImplemented(`outputs of type ${output.kind} are not implemented`);
    default:
      return output satisfies never;
  }
}
