import { list, map, pointer, type Shape, struct } from '../shape.ts';
import { containerConfig, descriptor, graphDriver, labels, portMap, strings } from './common.ts';
import { hostConfig } from './host-config.ts';

const mountPoint = struct('container.MountPoint', {
  'Type?': 'string',
  'Name?': 'string',
  Source: 'string',
  Destination: 'string',
  'Driver?': 'string',
  Mode: 'string',
  RW: 'bool',
  Propagation: 'string',
});

const endpoint = struct('network.EndpointSettings', {
  IPAMConfig: pointer(
    struct('network.EndpointIPAMConfig', {
      'IPv4Address?': 'string',
      'IPv6Address?': 'string',
      'LinkLocalIPs?': strings,
    }),
  ),
  Links: strings,
  Aliases: strings,
  MacAddress: 'string',
  DriverOpts: labels,
  GwPriority: 'int',
  NetworkID: 'string',
  EndpointID: 'string',
  Gateway: 'string',
  IPAddress: 'string',
  IPPrefixLen: 'int',
  IPv6Gateway: 'string',
  GlobalIPv6Address: 'string',
  GlobalIPv6PrefixLen: 'int',
  DNSNames: strings,
});

const containerState = struct('container.State', {
  Status: 'string',
  Running: 'bool',
  Paused: 'bool',
  Restarting: 'bool',
  OOMKilled: 'bool',
  Dead: 'bool',
  Pid: 'int',
  ExitCode: 'int',
  Error: 'string',
  StartedAt: 'string',
  FinishedAt: 'string',
  'Health?': pointer(
    struct('container.Health', {
      Status: 'string',
      FailingStreak: 'int',
      Log: list(
        pointer(
          struct('container.HealthcheckResult', {
            Start: 'time',
            End: 'time',
            ExitCode: 'int',
            Output: 'string',
          }),
        ),
      ),
    }),
  ),
});

/** `docker container inspect`. */
export const containerShape: Shape = struct('container.InspectResponse', {
  'ID:Id': 'string',
  Created: 'string',
  Path: 'string',
  Args: strings,
  State: pointer(containerState),
  Image: 'string',
  ResolvConfPath: 'string',
  HostnamePath: 'string',
  HostsPath: 'string',
  LogPath: 'string',
  Name: 'string',
  RestartCount: 'int',
  Driver: 'string',
  Platform: 'string',
  MountLabel: 'string',
  ProcessLabel: 'string',
  AppArmorProfile: 'string',
  ExecIDs: strings,
  HostConfig: pointer(hostConfig),
  GraphDriver: graphDriver,
  'SizeRw?': pointer('int'),
  'SizeRootFs?': pointer('int'),
  Mounts: list(mountPoint),
  Config: pointer(containerConfig),
  NetworkSettings: pointer(
    struct('container.NetworkSettings', {
      Bridge: 'string',
      SandboxID: 'string',
      SandboxKey: 'string',
      Ports: portMap,
      HairpinMode: 'bool',
      LinkLocalIPv6Address: 'string',
      LinkLocalIPv6PrefixLen: 'int',
      SecondaryIPAddresses: list('any'),
      SecondaryIPv6Addresses: list('any'),
      EndpointID: 'string',
      Gateway: 'string',
      GlobalIPv6Address: 'string',
      GlobalIPv6PrefixLen: 'int',
      IPAddress: 'string',
      IPPrefixLen: 'int',
      IPv6Gateway: 'string',
      MacAddress: 'string',
      Networks: map(pointer(endpoint)),
    }),
  ),
  'ImageManifestDescriptor?': descriptor,
});
