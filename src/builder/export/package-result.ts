import type { Descriptor } from '#/oci/descriptor.ts';
import type { Digest } from '#/oci/digest.ts';
import { formatPlatform } from '#/oci/platform.ts';
import type { Reference } from '#/oci/reference.ts';
import type { ResultAttestations } from '../attest/attest-result.ts';
import type { StatusSink } from '../progress.ts';
import type { Document } from './documents.ts';
import type { ImageOptions } from './image-options.ts';
import { type ImagePackage, type PlatformImage, packageImages } from './image-package.ts';
import type { LayerBlobs } from './layer-blobs.ts';

/** What came of an output. */
export interface OutputReport {
  /** What exporters say, by BuildKit's names of it. */
  readonly metadata: ReadonlyMap<string, string>;
  /** What was made if that is an image. */
  readonly image?: OutputImage;
  /** The identifier of what is in the store now. */
  readonly stored?: Digest;
}

/** An image that went somewhere. */
export interface OutputImage {
  readonly descriptor: Descriptor;
  /** What the descriptor leads to, without layers: manifests, configurations, statements. */
  readonly documents: readonly Document[];
}

/** What is packaged, and how. */
interface Packaging {
  readonly attestations: ResultAttestations;
  readonly progress: StatusSink;
  readonly layers: LayerBlobs;
  readonly names: readonly Reference[];
  readonly options: ImageOptions;
  /** With attestations that are only for images in registries and stores, unless the options say otherwise; default true. */
  readonly inline?: boolean;
  /** Without attestations. */
  readonly isBare?: boolean;
}

/** Makes a package of what a build has made, and tells how it goes. Throws as `packageImages`. */
export async function packageResult(
  images: readonly PlatformImage[],
  { progress, layers, names, options, inline = true, isBare = false, ...asked }: Packaging,
): Promise<ImagePackage> {
  const attestations = asked.attestations.ofKind({ inline: options.inlineAttestations ?? inline });
  const started = new Date();
  const tell = (id: string): void => progress({ id, current: 0, total: 0, started, completed: new Date() });
  progress({ id: 'exporting layers', current: 0, total: 0, started });
  const made = await packageImages({
    images,
    options,
    layers,
    ...(!isBare &&
      !attestations.isEmpty && {
        attest: (image: PlatformImage, manifest: ImagePackage['top']) =>
          attestations.ofImage(image, manifest, names),
      }),
  });
  tell('exporting layers');
  for (const { manifest, config, platform } of made.images) {
    const of = made.images.length > 1 ? ` for ${formatPlatform(platform)}` : '';
    tell(`exporting manifest ${manifest.digest}${of}`);
    tell(`exporting config ${config.digest}${of}`);
  }
  if (made.documents.length > 0) tell(`exporting manifest list ${made.top.digest}`);
  return made;
}

/** What there is to say of a package. */
export function reportOf(made: ImagePackage, names: readonly string[]): OutputReport {
  const { top: descriptor, topBytes, documents, texts, images } = made;
  const [only, ...more] = images;
  const metadata = new Map([
    ['containerimage.digest', descriptor.digest],
    ['containerimage.descriptor', Buffer.from(JSON.stringify(descriptor)).toString('base64')],
    ...(only === undefined || more.length > 0
      ? []
      : [['containerimage.config.digest', only.config.digest] as const]),
    ...(names.length === 0 ? [] : [['image.name', names.join(',')] as const]),
  ]);
  const all = [{ descriptor, bytes: topBytes }, ...documents, ...texts];
  return { metadata, image: { descriptor, documents: all } };
}
