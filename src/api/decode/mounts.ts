import { invalid } from '#/base/errors.ts';
import type { BindOptions, Mount, MountType, TmpfsOptions, VolumeOptions } from '#/wire/mounts.ts';
import {
  boolean,
  type Decoder,
  int64,
  list,
  omitEmpty,
  optional,
  string,
  stringMap,
  strings,
  struct,
  uint32,
} from './json.ts';

const mountTypes: ReadonlySet<string> = new Set(['bind', 'volume', 'tmpfs', 'image', 'npipe', 'cluster']);

const mountType: Decoder<MountType | undefined> = (value, path) => {
  const text = string(value, path);
  if (text === '') return undefined;
  if (!mountTypes.has(text)) {
    throw invalid(`invalid mount config for type ${JSON.stringify(text)}: mount type unknown`);
  }
  return text as MountType;
};

const bindOptions: Decoder<BindOptions> = struct('mount.BindOptions', {
  Propagation: omitEmpty(string),
  NonRecursive: omitEmpty(boolean),
  CreateMountpoint: omitEmpty(boolean),
  ReadOnlyNonRecursive: omitEmpty(boolean),
  ReadOnlyForceRecursive: omitEmpty(boolean),
});

const volumeOptions: Decoder<VolumeOptions> = struct('mount.VolumeOptions', {
  NoCopy: omitEmpty(boolean),
  Labels: omitEmpty(stringMap),
  Subpath: omitEmpty(string),
  DriverConfig: optional(
    struct<NonNullable<VolumeOptions['DriverConfig']>>('mount.Driver', {
      Name: omitEmpty(string),
      Options: omitEmpty(stringMap),
    }),
  ),
});

const tmpfsOptions: Decoder<TmpfsOptions> = struct('mount.TmpfsOptions', {
  SizeBytes: omitEmpty(int64),
  Mode: omitEmpty(uint32),
  Options: omitEmpty(list((value, path) => strings(value, path) ?? [], '[][]string')),
});

/** One of `HostConfig.Mounts`. Throws `invalid` for a type that does not exist. */
export const mount: Decoder<Mount> = struct('mount.Mount', {
  Type: mountType,
  Source: omitEmpty(string),
  Target: omitEmpty(string),
  ReadOnly: omitEmpty(boolean),
  Consistency: omitEmpty(string),
  BindOptions: optional(bindOptions),
  VolumeOptions: optional(volumeOptions),
  ImageOptions: optional(
    struct<NonNullable<Mount['ImageOptions']>>('mount.ImageOptions', { Subpath: omitEmpty(string) }),
  ),
  TmpfsOptions: optional(tmpfsOptions),
});
