import { invalid } from '#/base/errors.ts';
import type { OciLinux, OciProcess, RuntimeSpec } from '#/oci/runtime-spec.ts';
import { allDevices, noDevices } from './devices.ts';
import type { HostFacts } from './host.ts';
import type { NamespaceInput, SpecInput } from './input.ts';
import { initTarget, ociMounts, rootfsPropagation } from './mounts.ts';
import { ociProcess } from './process.ts';
import { ociResources } from './resources.ts';
import { checkRootfs } from './rootfs.ts';
import { evaluateSeccomp } from './seccomp.ts';
import { checkSysctls } from './sysctls.ts';

/** The version whose fields we use: crun before 1.9 refuses any but 1.0.x. */
const ociVersion = '1.0.2';

/** Not to be read: the kernel's view of the whole machine, side channels, keys. Docker's list. */
const defaultMaskedPaths: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];

/** Not to be written. Docker's list. */
const defaultReadonlyPaths: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

/** Annotations that tell a runtime or systemd what to do on the host: never a user's to set. */
const runtimeAnnotations: readonly string[] = ['run.oci.', 'org.systemd.', 'org.criu.', 'io.katacontainers.'];

/**
 * The config.json of a container. Safe whatever the input: always an own mount namespace with a fresh /dev, numeric
 * ids, closed lists of devices, nothing that the daemon itself may not give. Looks at the root file system (mounted)
 * and at the sources of recursive read-only binds. Throws `invalid` on what cannot be.
 */
export function buildSpec(input: SpecInput, host: HostFacts): RuntimeSpec {
  checkRootfs(input.rootfs);
  checkSysctls(input.sysctls, input.namespaces);
  const { annotations = {}, hostname, domainname } = input;
  for (const name of Object.keys(annotations)) {
    if (runtimeAnnotations.some((prefix) => name.startsWith(prefix))) {
      throw invalid(`annotation "${name}" is reserved for the runtime`);
    }
  }
  const ownNames = input.namespaces.uts === 'new';
  return {
    ociVersion,
    process: withInit(ociProcess(input.process, host), input.init),
    root: { path: input.rootfs, readonly: input.readonlyRootfs },
    ...(ownNames && hostname !== undefined ? { hostname } : {}),
    ...(ownNames && domainname !== undefined && domainname !== '' ? { domainname } : {}),
    mounts: ociMounts(input),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    linux: linuxPart(input, host),
  };
}

/** JSON of a spec or process. Throws `invalid` on text with a NUL, which no system call could take. */
export function specJson(spec: RuntimeSpec | OciProcess): string {
  const json = JSON.stringify(spec, (_key, value: unknown) => {
    if (typeof value === 'string' && value.includes('\0'))
      throw invalid('a NUL byte is not allowed in a container');
    return typeof value === 'bigint' ? `\0${value}` : value;
  });
  // Limits may be 2^64-1, which no JavaScript number is: written as text marked with the NUL that no other text has.
  return json.replaceAll(/"\\u0000(\d+)"/g, '$1');
}

function withInit(process: OciProcess, init: string | undefined): OciProcess {
  return init === undefined ? process : { ...process, args: [initTarget, '--', ...process.args] };
}

function linuxPart(input: SpecInput, host: HostFacts): OciLinux {
  const { privileged, maskedPaths, readonlyPaths, namespaces, devices, deviceRules, sysctls } = input;
  const propagation = rootfsPropagation(input.mounts);
  const seccomp = seccompPart(input, host);
  const { user } = namespaces;
  return {
    namespaces: namespaceList(input),
    ...(user !== undefined && 'uidMappings' in user ? user : {}),
    devices,
    cgroupsPath: input.cgroupsPath,
    resources: {
      ...ociResources(input.resources, host.cgroupSupport),
      devices: privileged ? [allDevices] : [noDevices, ...deviceRules],
    },
    ...(propagation === undefined ? {} : { rootfsPropagation: propagation }),
    ...(seccomp === undefined ? {} : { seccomp }),
    ...(Object.keys(sysctls).length === 0 ? {} : { sysctl: sysctls }),
    maskedPaths: maskedPaths ?? (privileged ? [] : defaultMaskedPaths),
    readonlyPaths: readonlyPaths ?? (privileged ? [] : defaultReadonlyPaths),
  };
}

function namespaceList({ namespaces }: SpecInput): OciLinux['namespaces'] {
  const { pid, network, ipc, uts, cgroup, user } = namespaces;
  const list: OciLinux['namespaces'][number][] = [{ type: 'mount' }];
  const wanted: Readonly<Record<string, NamespaceInput>> = { pid, network, ipc, uts, cgroup };
  for (const type of ['pid', 'network', 'ipc', 'uts', 'cgroup'] as const) {
    const namespace = wanted[type];
    if (namespace === 'new') list.push({ type });
    else if (typeof namespace === 'object') list.push({ type, path: namespace.path });
  }
  if (user !== undefined) list.push('path' in user ? { type: 'user', path: user.path } : { type: 'user' });
  return list;
}

function seccompPart({ privileged, seccomp, process }: SpecInput, host: HostFacts): OciLinux['seccomp'] {
  if (seccomp.kind === 'unconfined' || (privileged && seccomp.kind !== 'profile')) return undefined;
  const configured = seccomp.kind === 'default' ? host.configuredSeccomp : undefined;
  if (configured === 'unconfined') return undefined;
  const profile = seccomp.kind === 'profile' ? seccomp.profile : (configured ?? host.seccomp);
  if (profile === undefined) {
    throw invalid('no default seccomp profile is installed: install golang-github-containers-common');
  }
  return evaluateSeccomp(profile, { ...host, capabilities: process.capabilities });
}
