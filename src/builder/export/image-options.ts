import { invalid, notImplemented } from '#/base/errors.ts';
import { formatPlatform, type Platform, parsePlatform } from '#/oci/platform.ts';
import type { OutputOptions } from '../request.ts';
import { readFlag } from './flags.ts';

/** How layers go out. */
export interface PackOptions {
  /** Undefined: as they are kept if they are compressed, else with gzip. `kept`: as they are kept, compressed or not. */
  readonly compression: 'gzip' | 'zstd' | 'uncompressed' | 'kept' | undefined;
  /** Undefined: the packer's own. */
  readonly level: number | undefined;
  /** Also layers that are compressed in another way, such as those of a base image. */
  readonly force: boolean;
}

/** Where an annotation goes: into the document, or into the descriptor that leads to it. */
export type AnnotationPlace = 'manifest' | 'manifest-descriptor' | 'index' | 'index-descriptor';

/** One `annotation-PLACE[PLATFORM].KEY=VALUE`. */
interface Annotation {
  readonly place: AnnotationPlace;
  /** Undefined: for all. */
  readonly platform: string | undefined;
  readonly key: string;
  readonly value: string;
}

/** What clients can say about an image that goes out. */
export interface ImageOptions {
  readonly pack: PackOptions;
  /** False: Docker's media types, for registries that know nothing else. */
  readonly ociTypes: boolean;
  readonly annotations: readonly Annotation[];
  /** Whether attestations come along that are for images in registries only; undefined: as the kind of output has it. */
  readonly inlineAttestations: boolean | undefined;
}

const annotationForm = /^annotation(?:-([a-z-]+))?(?:\[([A-Za-z0-9_/.-]+)\])?\.(\S+)$/;
const places: ReadonlySet<string> = new Set<AnnotationPlace>([
  'manifest',
  'manifest-descriptor',
  'index',
  'index-descriptor',
]);
const maxAnnotations = 500;

/**
 * Reads the options of an output, by BuildKit's names. `rewrite-timestamp` says nothing new: with SOURCE_DATE_EPOCH all that a build
 * makes has that time at most. Throws `invalid` for values that cannot be.
 */
export function readImageOptions(options: OutputOptions): ImageOptions {
  const annotations: Annotation[] = [];
  for (const [name, value] of options) {
    const annotation = readAnnotation(name, value);
    if (annotation !== undefined) annotations.push(annotation);
  }
  if (annotations.length > maxAnnotations) throw invalid(`more than ${maxAnnotations} annotations`);
  const compression = readCompression(options.get('compression'));
  return {
    pack: {
      compression,
      level: readLevel(options.get('compression-level'), compression),
      force: readFlag(options, 'force-compression') ?? false,
    },
    ociTypes: readFlag(options, 'oci-mediatypes') ?? true,
    annotations,
    inlineAttestations: readFlag(options, 'attestation-inline'),
  };
}

/** Annotations of one place, for one platform. */
export function annotationsAt(
  { annotations }: ImageOptions,
  place: AnnotationPlace,
  platform?: Platform,
): Readonly<Record<string, string>> {
  const name = platform === undefined ? undefined : formatPlatform(platform);
  const fitting = annotations.filter(
    (one) => one.place === place && (one.platform === undefined || one.platform === name),
  );
  return Object.fromEntries(fitting.map(({ key, value }) => [key, value]));
}

function readAnnotation(name: string, value: string): Annotation | undefined {
  if (!name.startsWith('annotation')) return undefined;
  const [, place = 'manifest', platform, key] = annotationForm.exec(name) ?? [];
  if (key === undefined) throw invalid(`invalid annotation ${JSON.stringify(name)}`);
  if (!places.has(place))
    throw invalid(`invalid annotation type ${JSON.stringify(place)} in ${JSON.stringify(name)}`);
  const canonical = platform === undefined ? undefined : formatPlatform(parsePlatform(platform));
  return { place: place as AnnotationPlace, platform: canonical, key, value };
}

function readCompression(text: string | undefined): PackOptions['compression'] {
  if (text === undefined || text === '') return undefined;
  if (text === 'gzip' || text === 'zstd' || text === 'uncompressed') return text;
  if (text === 'estargz')
    throw notImplemented('compression estargz is not implemented; use gzip, zstd or uncompressed');
  throw invalid(`unsupported layer compression type ${JSON.stringify(text)}`);
}

function readLevel(text: string | undefined, compression: PackOptions['compression']): number | undefined {
  if (text === undefined || text === '') return undefined;
  const most = compression === 'zstd' ? 22 : 9;
  if (!/^\d{1,2}$/.test(text) || Number(text) > most) {
    throw invalid(`invalid compression level ${JSON.stringify(text)}: it is a number from 0 to ${most}`);
  }
  return Number(text);
}
