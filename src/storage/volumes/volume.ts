import { invalid } from '#/base/errors.ts';

/** Text by text, as clients give labels and options. */
export type Strings = Readonly<Record<string, string>>;

/** A named directory that outlives containers, kept by the `local` driver. */
export interface Volume {
  readonly name: string;
  /** RFC 3339, whole seconds. */
  readonly created: string;
  /** Null when the request had none. */
  readonly labels: Strings | null;
  /** What to mount when it is used: `type`, `device` and `o` as for mount(8). Null when the request had none. */
  readonly options: Strings | null;
  /** The directory that containers see. */
  readonly mountpoint: string;
}

/** What `VolumeStore.create` takes. */
export interface VolumeRequest {
  readonly name: string;
  readonly labels: Strings | null;
  readonly options: Strings | null;
}

const optionNames: readonly string[] = ['type', 'o', 'device', 'size'];

/** Throws `invalid` in the words of Docker for a name that cannot be one path component of ours. */
export function checkVolumeName(name: string): void {
  if (name.length === 1) {
    throw invalid(
      `create ${name}: volume name is too short, names should be at least two alphanumeric characters`,
    );
  }
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) {
    throw invalid(
      `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    );
  }
  if (name.length > 255) {
    throw invalid(`create ${name}: volume name is too long, names should be at most 255 characters`);
  }
}

/** Throws `invalid` for options that the local driver does not know or that do not make a whole. */
export function checkVolumeOptions(name: string, options: Strings): void {
  const unknown = Object.keys(options).find((key) => !optionNames.includes(key));
  if (unknown !== undefined) throw invalid(`create ${name}: invalid option: "${unknown}"`);
  if (options['size'] !== undefined) {
    throw invalid(`create ${name}: quota size requested but no quota support`);
  }
  const { type = '', device = '', o = '' } = options;
  if (type === '' && device === '' && o === '') return;
  if (device === '') throw invalid(`create ${name}: missing required option: "device"`);
  if (type === '') throw invalid(`create ${name}: missing required option: "type"`);
}

/** Tells whether using the volume means mounting something on its directory. */
export function needsMount(volume: Volume): boolean {
  return (volume.options?.['device'] ?? '') !== '';
}
