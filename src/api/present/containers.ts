import type { ContainerView } from '#/engine/containers/view.ts';
import type { ContainerInspect, ContainerSummary, NetworkSettings, Port } from '#/wire/container-inspect.ts';
import type { PortMap } from '#/wire/containers.ts';
import type { EndpointSettings } from '#/wire/networks.ts';
import { compareVersions } from '#/wire/version.ts';
import { presentState, statusOf, statusText } from './status.ts';

/** `GET /containers/{id}/json`. */
export function presentInspect(view: ContainerView): ContainerInspect {
  const { record, files, size } = view;
  const { spec } = record;
  return {
    Id: record.id,
    Created: record.created,
    Path: spec.path,
    Args: spec.args,
    State: presentState(record.state, view.health),
    Image: record.imageId,
    ResolvConfPath: files.resolvConf,
    HostnamePath: files.hostname,
    HostsPath: files.hosts,
    LogPath: files.log,
    Name: `/${record.name}`,
    RestartCount: record.restartCount,
    Driver: spec.driver,
    Platform: spec.platform,
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: view.execIds.length === 0 ? null : view.execIds,
    HostConfig: spec.hostConfig,
    GraphDriver: view.graphDriver,
    ...(size === undefined ? {} : { SizeRw: size.own, SizeRootFs: size.withImage }),
    Mounts: spec.mounts,
    Config: { ...spec.config, Labels: spec.config.Labels ?? {} },
    NetworkSettings: presentNetworkSettings(view),
  };
}

/** One line of `GET /containers/json` of that API `version`. `now` is milliseconds since 1970. */
export function presentSummary(
  view: ContainerView,
  { now, version }: { now: number; version: string },
): ContainerSummary {
  const { record, size } = view;
  const { spec } = record;
  const { NetworkMode, Annotations } = spec.hostConfig;
  const annotated = Annotations !== undefined && compareVersions(version, '1.46') >= 0;
  return {
    Id: record.id,
    Names: [`/${record.name}`],
    Image: spec.imageName,
    ImageID: record.imageId,
    Command: [spec.path, ...spec.args.map(quoteArgument)].join(' '),
    Created: Math.floor(Date.parse(record.created) / 1000),
    Ports: presentPorts(view.ports),
    // As in Docker, nothing written yet is left out here (but not by inspect).
    ...(size === undefined || size.own === 0 ? {} : { SizeRw: size.own }),
    ...(size === undefined || size.withImage === 0 ? {} : { SizeRootFs: size.withImage }),
    Labels: spec.config.Labels ?? {},
    State: statusOf(record.state),
    Status: statusText(record.state, view.health, now),
    HostConfig: { NetworkMode, ...(annotated ? { Annotations } : {}) },
    NetworkSettings: { Networks: view.networks },
    Mounts: spec.mounts,
  };
}

/** Docker shows arguments with spaces in single quotes. */
function quoteArgument(argument: string): string {
  return argument.includes(' ') ? `'${argument}'` : argument;
}

function presentNetworkSettings({ sandbox, ports, networks }: ContainerView): NetworkSettings {
  const bridge: EndpointSettings | undefined = networks['bridge'];
  return {
    Bridge: '',
    SandboxID: sandbox?.id ?? '',
    SandboxKey: sandbox?.path ?? '',
    Ports: ports,
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: bridge?.EndpointID ?? '',
    Gateway: bridge?.Gateway ?? '',
    GlobalIPv6Address: bridge?.GlobalIPv6Address ?? '',
    GlobalIPv6PrefixLen: bridge?.GlobalIPv6PrefixLen ?? 0,
    IPAddress: bridge?.IPAddress ?? '',
    IPPrefixLen: bridge?.IPPrefixLen ?? 0,
    IPv6Gateway: bridge?.IPv6Gateway ?? '',
    MacAddress: bridge?.MacAddress ?? '',
    Networks: networks,
  };
}

/** The ports of a summary, by number: the published ones, and those that are only exposed. */
function presentPorts(ports: PortMap): Port[] {
  return Object.entries(ports)
    .flatMap(([key, bindings]) => {
      const [number = '', Type = 'tcp'] = key.split('/');
      const PrivatePort = Number(number);
      if (bindings === null || bindings.length === 0) return [{ PrivatePort, Type }];
      return bindings.map(({ HostIp, HostPort }) => ({
        IP: HostIp,
        PrivatePort,
        PublicPort: Number(HostPort),
        Type,
      }));
    })
    .toSorted((a, b) => a.PrivatePort - b.PrivatePort);
}
