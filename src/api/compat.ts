import { invalid } from '#/base/errors.ts';
import type { HostConfig } from '#/wire/containers.ts';
import type { Mount } from '#/wire/mounts.ts';
import { compareVersions } from '#/wire/version.ts';
import type { CreateBody, UpdateBody } from './decode/containers.ts';

/**
 * What a create request meant in the API version that the client speaks: fields that did not exist yet are taken out,
 * defaults that have changed since are put in. Version numbers are from the history of the Engine API.
 */
export function createAsOf(version: string, body: CreateBody): CreateBody {
  const before = (other: string): boolean => compareVersions(version, other) < 0;
  const { networking } = body;
  let { config, hostConfig: host } = body;
  if (before('1.25')) host = { ...host, AutoRemove: false };
  if (before('1.40') && host.IpcMode === '') host = { ...host, IpcMode: 'shareable' };
  if (before('1.41') && host.CgroupnsMode === '') host = { ...host, CgroupnsMode: 'host' };
  if (before('1.42')) host = { ...host, ConsoleSize: [0, 0] };
  if (before('1.43')) host = without(host, 'Annotations');
  if (before('1.44')) {
    if (config.Healthcheck?.StartInterval !== undefined) {
      const { StartInterval: _dropped, ...health } = config.Healthcheck;
      config = { ...config, Healthcheck: health };
    }
    refuseManyNetworks(body);
  }
  if (host.Mounts !== undefined) {
    host = { ...host, Mounts: host.Mounts.map((mount) => mountAsOf(before, mount)) };
  }
  if (host.PidsLimit !== null && host.PidsLimit <= 0) host = { ...host, PidsLimit: null };
  return { config, hostConfig: host, networking };
}

/** As `createAsOf`, for an update. */
export function updateAsOf(version: string, body: UpdateBody): UpdateBody {
  if (compareVersions(version, '1.40') >= 0) return body;
  return { ...body, resources: { ...body.resources, PidsLimit: null } };
}

function mountAsOf(before: (version: string) => boolean, mount: Mount): Mount {
  let bind = mount.BindOptions;
  if (bind !== undefined) {
    if (before('1.40')) bind = without(bind, 'NonRecursive');
    if (before('1.42')) bind = without(bind, 'CreateMountpoint');
  }
  // A read-only mount was never recursively so before 1.44.
  if (before('1.44') && mount.Type === 'bind' && mount.ReadOnly === true) {
    bind = { ...bind, ReadOnlyNonRecursive: true };
  }
  const volume =
    before('1.45') && mount.VolumeOptions !== undefined
      ? without(mount.VolumeOptions, 'Subpath')
      : mount.VolumeOptions;
  return {
    ...mount,
    ...(bind === undefined ? {} : { BindOptions: bind }),
    ...(volume === undefined ? {} : { VolumeOptions: volume }),
  };
}

function refuseManyNetworks({ networking }: CreateBody): void {
  const names = Object.keys(networking.EndpointsConfig ?? {});
  if (names.length > 1) {
    throw invalid(`Container cannot be created with multiple network endpoints: ${names.join(', ')}`);
  }
}

function without<T extends HostConfig | object, K extends keyof T>(value: T, key: K): T {
  const { [key]: _dropped, ...rest } = value;
  // Only used for optional fields.
  return rest as T;
}
