import { cpus } from 'node:os';
import { invalid, notImplemented } from '#/base/errors.ts';
import { signalNumber } from '#/base/signals.ts';
import type { CgroupSupport } from '#/kernel/cgroup/support.ts';
import type { ContainerConfig, HealthConfig, HostConfig, RestartPolicy } from '#/wire/containers.ts';
import { checkLimits } from './check-limits.ts';

/** What the request is checked against. */
export interface RequestFacts {
  readonly cpuCount: number;
  /** Names that `HostConfig.Runtime` may have. */
  readonly runtimes: ReadonlySet<string>;
  readonly cgroups: CgroupSupport;
}

/** The facts of this machine. */
export function requestFacts(runtimes: Iterable<string>, cgroups: CgroupSupport): RequestFacts {
  return { cpuCount: cpus().length, runtimes: new Set(runtimes), cgroups };
}

/** Checks what a create request says by itself; returns warnings. Values that need other objects are checked where those are looked up. */
export function validateCreate(config: ContainerConfig, host: HostConfig, facts: RequestFacts): string[] {
  checkConfig(config);
  checkHealth(config.Healthcheck);
  checkRestartPolicy(host.RestartPolicy, host.AutoRemove);
  checkModes(config, host);
  checkExtraHosts(host.ExtraHosts ?? []);
  checkMisc(host, facts);
  return [...discardedPorts(host), ...checkResources(host, facts)];
}

function discardedPorts({ NetworkMode: mode, PortBindings: ports }: HostConfig): string[] {
  if (mode !== 'host' || Object.keys(ports ?? {}).length === 0) return [];
  return ['Published ports are discarded when using host network mode'];
}

/** Checks changed limits and policy of a container; returns warnings. */
export function validateUpdate(host: HostConfig, facts: RequestFacts): string[] {
  checkRestartPolicy(host.RestartPolicy, false);
  return checkResources(host, facts);
}

function checkConfig(config: ContainerConfig): void {
  if (config.WorkingDir !== '' && !config.WorkingDir.startsWith('/')) {
    throw invalid(`the working directory '${config.WorkingDir}' is invalid, it needs to be an absolute path`);
  }
  for (const entry of config.Env ?? []) {
    if (entry === '' || entry.startsWith('=')) throw invalid(`invalid environment variable: ${entry}`);
  }
  if (config.StopSignal !== undefined && config.StopSignal !== '') signalNumber(config.StopSignal);
}

function checkHealth(health: HealthConfig | null | undefined): void {
  if (!health) return;
  const durations = {
    Interval: health.Interval,
    Timeout: health.Timeout,
    StartPeriod: health.StartPeriod,
    StartInterval: health.StartInterval,
  };
  for (const [name, value] of Object.entries(durations)) {
    if (value !== undefined && value !== 0 && value < 1_000_000) {
      throw invalid(`${name} in Healthcheck cannot be less than 1ms`);
    }
  }
  if ((health.Retries ?? 0) < 0) throw invalid('Retries in Healthcheck cannot be negative');
}

function checkRestartPolicy(policy: RestartPolicy, autoRemove: boolean): void {
  const { Name: name, MaximumRetryCount: retries } = policy;
  if (!['', 'no', 'always', 'on-failure', 'unless-stopped'].includes(name)) {
    throw invalid(
      `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    );
  }
  if (name !== 'on-failure' && retries !== 0) {
    throw invalid("invalid restart policy: maximum retry count can only be used with 'on-failure'");
  }
  if (retries < 0) throw invalid('invalid restart policy: maximum retry count cannot be negative');
  if (autoRemove && name !== '' && name !== 'no') {
    throw invalid("can't create 'AutoRemove' container with restart policy");
  }
}

function checkModes(config: ContainerConfig, host: HostConfig): void {
  const network = host.NetworkMode;
  if (network === 'container:')
    throw invalid('invalid network mode: invalid container format container:<name|id>');
  if (network.startsWith('container:')) {
    if (config.Hostname !== '') throw invalid('conflicting options: hostname and the network mode');
    if ((host.Links ?? []).length > 0)
      throw invalid(
        "conflicting options: container type network can't be used with links. This would result in undefined behavior",
      );
    if ((host.Dns ?? []).length > 0) throw invalid('conflicting options: dns and the network mode');
    if ((host.ExtraHosts ?? []).length > 0) {
      throw invalid('conflicting options: custom host-to-IP mapping and the network mode');
    }
    if (Object.keys(host.PortBindings ?? {}).length > 0 || host.PublishAllPorts) {
      throw invalid('conflicting options: port publishing and the container type network mode');
    }
    if (Object.keys(config.ExposedPorts ?? {}).length > 0) {
      throw invalid('conflicting options: port exposing and the container type network mode');
    }
  }
  if (!['', 'host'].includes(host.UTSMode)) throw invalid(`invalid UTS mode: ${host.UTSMode}`);
  if (host.UTSMode === 'host' && config.Hostname !== '') {
    throw invalid('conflicting options: hostname and the UTS mode');
  }
  if (!['', 'host'].includes(host.PidMode) && !/^container:.+/.test(host.PidMode)) {
    throw invalid(`invalid PID mode: ${host.PidMode}`);
  }
  if (
    !['', 'none', 'private', 'shareable', 'host'].includes(host.IpcMode) &&
    !/^container:.+/.test(host.IpcMode)
  ) {
    throw invalid(`invalid IPC mode: ${host.IpcMode}`);
  }
  if (!['', 'private', 'host'].includes(host.CgroupnsMode)) {
    throw invalid(`invalid cgroup namespace mode: ${host.CgroupnsMode}`);
  }
  if (!['', 'host'].includes(host.UsernsMode)) {
    throw invalid(`invalid user namespace mode: ${host.UsernsMode}`);
  }
}

function checkExtraHosts(extraHosts: readonly string[]): void {
  for (const entry of extraHosts) {
    const at = entry.search(/[:=]/);
    if (at <= 0) throw invalid(`bad format for add-host: "${entry}"`);
    const address = entry.slice(at + 1).replace(/^\[(.*)\]$/, '$1');
    if (address !== 'host-gateway' && !isAddress(address)) {
      throw invalid(`invalid IP address in add-host: "${address}"`);
    }
  }
}

function isAddress(text: string): boolean {
  return /^(?:\d{1,3}\.){3}\d{1,3}$/.test(text)
    ? text.split('.').every((n) => Number(n) < 256)
    : /^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text);
}

function checkMisc(host: HostConfig, facts: RequestFacts): void {
  if (!['', 'default'].includes(host.Isolation)) {
    throw invalid(`invalid isolation (${host.Isolation}): linux only supports 'default'`);
  }
  if (host.Runtime !== undefined && host.Runtime !== '' && !facts.runtimes.has(host.Runtime)) {
    throw invalid(`unknown or invalid runtime name: ${host.Runtime}`);
  }
  if (host.OomScoreAdj < -1000 || host.OomScoreAdj > 1000) {
    throw invalid(`Invalid value ${host.OomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  }
  if (Object.hasOwn(host.Annotations ?? {}, ''))
    throw invalid('invalid Annotations: the empty string is not permitted as an annotation key');
  if (host.ShmSize < 0) throw invalid('SHM size can not be less than 0');
  if (Object.keys(host.StorageOpt ?? {}).length > 0) {
    throw notImplemented(
      '--storage-opt is not implemented: the file system of a container has no size limit of its own',
    );
  }
  if ((host.DeviceRequests ?? []).length > 0) {
    const first = host.DeviceRequests?.[0];
    throw invalid(
      `could not select device driver "${first?.Driver ?? ''}" with capabilities: ${JSON.stringify(first?.Capabilities ?? [])}`,
    );
  }
}

function checkResources(host: HostConfig, facts: RequestFacts): string[] {
  const warnings: string[] = [];
  checkLimits(host, facts);
  if (host.BlkioWeight !== 0 && (host.BlkioWeight < 10 || host.BlkioWeight > 1000)) {
    throw invalid('Range of blkio weight is from 10 to 1000');
  }
  if (host.OomKillDisable === true && host.Memory === 0) {
    warnings.push(
      'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
    );
  }
  return warnings;
}
