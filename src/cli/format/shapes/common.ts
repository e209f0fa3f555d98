import { list, map, pointer, type Shape, struct } from '../shape.ts';

/** Parts of several of docker's inspect answers (github.com/docker/docker/api/types, v28). */

/** A list of strings. */
export const strings: Shape = list('string');
/** A map of strings: labels, options. */
export const labels: Shape = map('string');
/** A set: a map without values. */
export const set: Shape = map(struct('struct {}', {}));

/** How to find out whether a container is well. */
export const healthConfig: Shape = struct('v1.HealthcheckConfig', {
  'Test?': strings,
  'Interval?': 'duration',
  'Timeout?': 'duration',
  'StartPeriod?': 'duration',
  'StartInterval?': 'duration',
  'Retries?': 'int',
});

const portBinding = struct('nat.PortBinding', { 'HostIP:HostIp': 'string', HostPort: 'string' });
/** Published ports. */
export const portMap: Shape = map(list(portBinding));

/** An OCI descriptor. */
export const descriptor: Shape = pointer(
  struct('v1.Descriptor', {
    'MediaType:mediaType': 'string',
    'Digest:digest': 'string',
    'Size:size': 'int',
    'URLs:urls?': strings,
    'Annotations:annotations?': labels,
    'Data:data?': 'any',
    'Platform:platform?': pointer(
      struct('v1.Platform', {
        'Architecture:architecture': 'string',
        'OS:os': 'string',
        'OSVersion:os.version?': 'string',
        'OSFeatures:os.features?': strings,
        'Variant:variant?': 'string',
      }),
    ),
    'ArtifactType:artifactType?': 'string',
  }),
);

/** Where a snapshot lives. */
export const graphDriver: Shape = struct('storage.DriverData', { Data: labels, Name: 'string' });

/** The portable half of a container. */
export const containerConfig: Shape = struct('container.Config', {
  Hostname: 'string',
  Domainname: 'string',
  User: 'string',
  AttachStdin: 'bool',
  AttachStdout: 'bool',
  AttachStderr: 'bool',
  'ExposedPorts?': set,
  Tty: 'bool',
  OpenStdin: 'bool',
  StdinOnce: 'bool',
  Env: strings,
  Cmd: strings,
  'Healthcheck?': pointer(healthConfig),
  'ArgsEscaped?': 'bool',
  Image: 'string',
  Volumes: set,
  WorkingDir: 'string',
  Entrypoint: strings,
  'NetworkDisabled?': 'bool',
  'MacAddress?': 'string',
  OnBuild: strings,
  Labels: labels,
  'StopSignal?': 'string',
  'StopTimeout?': pointer('int'),
  'Shell?': strings,
});
