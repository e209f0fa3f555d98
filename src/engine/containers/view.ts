import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { GraphDriver, Health } from '#/wire/container-inspect.ts';
import type { PortMap } from '#/wire/containers.ts';
import type { EndpointSettings } from '#/wire/networks.ts';
import { writtenBytes } from './driver-change.ts';
import type { ContainerRecord } from './model.ts';
import type { ContainerParts } from './parts.ts';

/** A container and what is known about it beside its record. */
export interface ContainerView {
  readonly record: ContainerRecord;
  /** undefined if it has no health check. */
  readonly health: Health | undefined;
  /** Paths on the host; empty until they exist. */
  readonly files: {
    readonly resolvConf: string;
    readonly hostname: string;
    readonly hosts: string;
    readonly log: string;
  };
  readonly execIds: readonly string[];
  readonly graphDriver: GraphDriver;
  /** By network name. */
  readonly networks: Readonly<Record<string, EndpointSettings>>;
  /** The network namespace, while there is one. */
  readonly sandbox: { readonly id: string; readonly path: string } | undefined;
  /** What is really published now. */
  readonly ports: PortMap;
  /** Bytes, if they were asked for. */
  readonly size: { readonly own: number; readonly withImage: number } | undefined;
}

/** Gathers what inspect and list show. */
export async function viewOf(
  parts: ContainerParts,
  record: ContainerRecord,
  { size }: { size: boolean },
): Promise<ContainerView> {
  const { id } = record;
  return {
    record,
    health: undefined,
    files: filesOf(parts, id),
    execIds: parts.execIdsOf(id),
    graphDriver: graphDriverOf(parts, record),
    networks: parts.networks.endpointsOf(record),
    sandbox: parts.networks.sandboxOf(record),
    ports: parts.networks.portsOf(record),
    size: size ? await sizeOf(parts, record) : undefined,
  };
}

function filesOf(parts: ContainerParts, id: string): ContainerView['files'] {
  const path = (name: string): string => {
    const file = join(parts.dirs.dataOf(id), name);
    return existsSync(file) ? file : '';
  };
  const log = parts.dirs.logOf(id);
  return {
    resolvConf: path('resolv.conf'),
    hostname: path('hostname'),
    hosts: path('hosts'),
    log: existsSync(log) ? log : '',
  };
}

async function sizeOf(
  parts: ContainerParts,
  { id, imageId }: ContainerRecord,
): Promise<ContainerView['size']> {
  const own = await writtenBytes(parts, id);
  return { own, withImage: own + (parts.images.get(imageId)?.size ?? 0) };
}

function graphDriverOf(parts: ContainerParts, { id, spec: { driver: Name } }: ContainerRecord): GraphDriver {
  if (!parts.snapshots.exists(id)) return { Name, Data: null };
  const MergedDir = parts.dirs.rootfsOf(id);
  if (Name === 'vfs') return { Name, Data: { Dir: parts.snapshots.upperDir(id) } };
  const options = parts.snapshots.mounts(id).flatMap((mount) => mount.options);
  const option = (name: string): string =>
    options.find((text) => text.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
  const UpperDir = parts.snapshots.upperDir(id);
  return {
    Name,
    Data: { ID: id, LowerDir: option('lowerdir'), MergedDir, UpperDir, WorkDir: option('workdir') },
  };
}
