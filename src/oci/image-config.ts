import { invalid } from '#/base/errors.ts';
import { readDigest } from './descriptor.ts';
import type { Digest } from './digest.ts';
import { type Field, parseJson } from './json.ts';
import { maxLayers } from './manifest.ts';
import type { Platform } from './platform.ts';

/** A set as Go writes it: the members are the keys, the values are empty objects. */
type NameSet = Readonly<Record<string, Readonly<Record<string, never>>>>;

/** How an image wants its containers checked. Times are nanoseconds, 0 means the default. */
export interface ImageHealthcheck {
  readonly Test?: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

/**
 * What containers inherit from an image: `config` of the image configuration, with the names of its JSON. A member that
 * is absent or null there is absent here; an empty list stays an empty list.
 */
export interface ImageRuntimeConfig {
  readonly User?: string;
  readonly ExposedPorts?: NameSet;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Volumes?: NameSet;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly Healthcheck?: ImageHealthcheck;
  readonly OnBuild?: readonly string[];
  readonly Shell?: readonly string[];
  readonly ArgsEscaped?: boolean;
}

/** One step in the making of an image. */
interface HistoryEntry {
  /** RFC 3339. */
  readonly created?: string;
  readonly createdBy: string;
  readonly author: string;
  readonly comment: string;
  /** This step made no layer. */
  readonly emptyLayer: boolean;
}

/** An image's configuration (image-spec, config.md, with Docker's additions). Its digest is the image's identifier. */
export interface ImageConfig {
  readonly architecture: string;
  readonly os: string;
  readonly variant: string;
  readonly osVersion: string;
  readonly author: string;
  /** RFC 3339. */
  readonly created?: string;
  readonly comment: string;
  readonly dockerVersion: string;
  /** Undefined if the document has none, which is not the same to clients as an empty one. */
  readonly config: ImageRuntimeConfig | undefined;
  /** Digests of the uncompressed layers, lowest first. */
  readonly diffIds: readonly Digest[];
  readonly history: readonly HistoryEntry[];
}

/** The platform that a configuration states. Those that name no system are for Linux. */
export function platformOf({ os, architecture, variant, osVersion }: ImageConfig): Platform {
  return { os: os === '' ? 'linux' : os, architecture, variant, osVersion };
}

/** Bytes of a configuration. */
export const maxConfigBytes: number = 4 * 1024 * 1024;
const maxEntries = 10_000;

/** Reads an untrusted image configuration. */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  const document = parseJson(bytes, { what: 'image config', maxBytes: maxConfigBytes });
  const rootfs = document.get('rootfs');
  if (!rootfs.isPresent) throw invalid('invalid image JSON, no RootFS key');
  const type = text(rootfs.get('type'));
  if (type !== '' && type !== 'layers') throw rootfs.error(`unsupported type ${JSON.stringify(type)}`);
  return {
    architecture: text(document.get('architecture')),
    os: text(document.get('os')),
    variant: text(document.get('variant')),
    osVersion: text(document.get('os.version')),
    author: text(document.get('author')),
    ...present('created', document.get('created').optional(readTime)),
    comment: text(document.get('comment')),
    dockerVersion: text(document.get('docker_version')),
    config: document.get('config').optional(readRuntimeConfig),
    diffIds: rootfs.get('diff_ids').optional((field) => field.list(maxLayers, readDigest)) ?? [],
    history: document.get('history').optional((field) => field.list(maxEntries, readHistory)) ?? [],
  };
}

/** The bytes of a configuration that Skiff makes itself. */
export function encodeImageConfig(config: ImageConfig): Buffer {
  const document = {
    architecture: config.architecture,
    ...(config.author === '' ? {} : { author: config.author }),
    ...(config.comment === '' ? {} : { comment: config.comment }),
    config: config.config ?? {},
    ...present('created', config.created),
    history: config.history.map((entry) => ({
      ...present('created', entry.created),
      ...(entry.createdBy === '' ? {} : { created_by: entry.createdBy }),
      ...(entry.author === '' ? {} : { author: entry.author }),
      ...(entry.comment === '' ? {} : { comment: entry.comment }),
      ...(entry.emptyLayer ? { empty_layer: true } : {}),
    })),
    os: config.os,
    ...(config.osVersion === '' ? {} : { 'os.version': config.osVersion }),
    rootfs: { type: 'layers', diff_ids: config.diffIds },
    ...(config.variant === '' ? {} : { variant: config.variant }),
  };
  return Buffer.from(JSON.stringify(document));
}

function readRuntimeConfig(field: Field): ImageRuntimeConfig {
  return {
    ...present(
      'User',
      field.get('User').optional((f) => f.string()),
    ),
    ...present('ExposedPorts', field.get('ExposedPorts').optional(readSet)),
    ...present('Env', field.get('Env').optional(readStrings)),
    ...present('Entrypoint', field.get('Entrypoint').optional(readStrings)),
    ...present('Cmd', field.get('Cmd').optional(readStrings)),
    ...present('Volumes', field.get('Volumes').optional(readSet)),
    ...present(
      'WorkingDir',
      field.get('WorkingDir').optional((f) => f.string()),
    ),
    ...present(
      'Labels',
      field.get('Labels').optional((f) => f.record(maxEntries, text)),
    ),
    ...present(
      'StopSignal',
      field.get('StopSignal').optional((f) => f.string()),
    ),
    ...present('Healthcheck', field.get('Healthcheck').optional(readHealthcheck)),
    ...present('OnBuild', field.get('OnBuild').optional(readStrings)),
    ...present('Shell', field.get('Shell').optional(readStrings)),
    ...present(
      'ArgsEscaped',
      field.get('ArgsEscaped').optional((f) => f.boolean()),
    ),
  };
}

function readHealthcheck(field: Field): ImageHealthcheck {
  const number = (name: string): number | undefined => field.get(name).optional((f) => f.integer());
  return {
    ...present('Test', field.get('Test').optional(readStrings)),
    ...present('Interval', number('Interval')),
    ...present('Timeout', number('Timeout')),
    ...present('StartPeriod', number('StartPeriod')),
    ...present('StartInterval', number('StartInterval')),
    ...present('Retries', number('Retries')),
  };
}

function readHistory(field: Field): HistoryEntry {
  return {
    ...present('created', field.get('created').optional(readTime)),
    createdBy: text(field.get('created_by')),
    author: text(field.get('author')),
    comment: text(field.get('comment')),
    emptyLayer: field.get('empty_layer').optional((f) => f.boolean()) ?? false,
  };
}

function readTime(field: Field): string {
  const value = field.string();
  const match = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9})\d*)?(Z|[+-]\d{2}:\d{2})$/.exec(value);
  const [, seconds = '', fraction = '', zone = ''] = match ?? [];
  if (match === null || Number.isNaN(Date.parse(`${seconds}${zone}`))) {
    throw field.error(`not a time of RFC 3339: ${JSON.stringify(value.slice(0, 60))}`);
  }
  const digits = fraction.replace(/0+$/, '');
  return `${seconds}${digits === '' ? '' : `.${digits}`}${zone}`;
}

function readSet(field: Field): NameSet {
  return field.record(maxEntries, (member) => {
    member.optional((f) => f.record(0, () => undefined));
    return {};
  });
}

function readStrings(field: Field): string[] {
  return field.list(maxEntries, text);
}

/** Go reads an absent or null string as an empty one. */
function text(field: Field): string {
  return field.optional((f) => f.string()) ?? '';
}

function present<K extends string, V>(key: K, value: V | undefined): { readonly [k in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [k in K]?: V });
}
