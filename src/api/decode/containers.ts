import { invalid } from '#/base/errors.ts';
import type {
  ContainerConfig,
  HealthConfig,
  HostConfig,
  NetworkingConfig,
  Resources,
  RestartPolicy,
} from '#/wire/containers.ts';
import type { ExecCreateRequest, ExecStartRequest } from '#/wire/exec.ts';
import { consoleSize, hostConfig, resources, restartPolicy } from './host-config.ts';
import {
  boolean,
  command,
  type Decoder,
  type Fields,
  int,
  int64,
  map,
  nothing,
  nullable,
  omitEmpty,
  optional,
  string,
  stringMap,
  strings,
  struct,
} from './json.ts';
import { endpointSettings } from './networks.ts';

const healthConfig: Decoder<HealthConfig> = struct('container.HealthConfig', {
  Test: omitEmpty(strings),
  Interval: omitEmpty(int64),
  Timeout: omitEmpty(int64),
  StartPeriod: omitEmpty(int64),
  StartInterval: omitEmpty(int64),
  Retries: omitEmpty(int),
});

const configFields: Fields<ContainerConfig> = {
  Hostname: string,
  Domainname: string,
  User: string,
  AttachStdin: boolean,
  AttachStdout: boolean,
  AttachStderr: boolean,
  ExposedPorts: omitEmpty(map(nothing, 'nat.PortSet')),
  Tty: boolean,
  OpenStdin: boolean,
  StdinOnce: boolean,
  Env: strings,
  Cmd: command,
  Healthcheck: optional(healthConfig),
  ArgsEscaped: omitEmpty(boolean),
  Image: string,
  Volumes: map(nothing, 'map[string]struct {}'),
  WorkingDir: string,
  Entrypoint: command,
  NetworkDisabled: omitEmpty(boolean),
  MacAddress: omitEmpty(string),
  OnBuild: strings,
  Labels: stringMap,
  StopSignal: omitEmpty(string),
  StopTimeout: optional(int),
  Shell: omitEmpty(command),
};

const networkingConfig: Decoder<NetworkingConfig> = struct('network.NetworkingConfig', {
  EndpointsConfig: map(nullable(endpointSettings), 'map[string]*network.EndpointSettings'),
});

/** The parts of a create request. */
export interface CreateBody {
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly networking: NetworkingConfig;
}

/** The config of a container as it also stands in `POST /commit` and image changes. */
export const containerConfig: Decoder<ContainerConfig> = struct('container.Config', configFields);

const configKeys: ReadonlySet<string> = new Set(Object.keys(configFields).map((key) => key.toLowerCase()));

const outer: Decoder<Pick<CreateBody, 'hostConfig' | 'networking'>> = (value, path) => {
  const { HostConfig, NetworkingConfig } = struct<{
    HostConfig: HostConfig;
    NetworkingConfig: NetworkingConfig;
  }>('container.CreateRequest', { HostConfig: hostConfig, NetworkingConfig: networkingConfig })(value, path);
  return { hostConfig: HostConfig, networking: NetworkingConfig };
};

/** Body of `POST /containers/create`, in which the config's fields stand beside the other two parts. */
export const createBody: Decoder<CreateBody> = (value, path) => {
  const rest = outer(value, path);
  const keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  if (!keys.some((key) => configKeys.has(key.toLowerCase()))) {
    throw invalid('config cannot be empty in order to create a container');
  }
  return { config: containerConfig(value, path), ...rest };
};

/** What `POST /containers/{id}/update` changes. */
export interface UpdateBody {
  readonly resources: Resources;
  readonly restartPolicy: RestartPolicy;
}

/** Its body. */
export const updateBody: Decoder<UpdateBody> = (value, path) => ({
  resources: resources(value, path),
  restartPolicy: struct<{ RestartPolicy: RestartPolicy }>('container.UpdateConfig', {
    RestartPolicy: restartPolicy,
  })(value, path).RestartPolicy,
});

/** Body of `POST /containers/{id}/exec`, with every field. */
export const execCreateBody: Decoder<Required<ExecCreateRequest>> = struct('container.ExecOptions', {
  User: string,
  Privileged: boolean,
  Tty: boolean,
  ConsoleSize: consoleSize,
  AttachStdin: boolean,
  AttachStderr: boolean,
  AttachStdout: boolean,
  Detach: boolean,
  DetachKeys: string,
  Env: strings,
  WorkingDir: string,
  Cmd: (value, path) => strings(value, path) ?? [],
});

/** Body of `POST /exec/{id}/start`, with every field. */
export const execStartBody: Decoder<Required<ExecStartRequest>> = struct('container.ExecStartOptions', {
  Detach: boolean,
  Tty: boolean,
  ConsoleSize: consoleSize,
});
