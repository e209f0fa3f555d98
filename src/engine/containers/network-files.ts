import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isSystemError } from '#/base/errors.ts';
import type { EndpointInfo } from '#/network/endpoint-info.ts';
import { hostLine, hostsFile } from '#/network/hosts-file.ts';
import { resolvConf } from '#/network/resolv-conf.ts';
import type { MountInput } from '#/runtime/spec/input.ts';
import type { ContainerRecord } from './model.ts';

/** Name servers and so on that containers get unless they say otherwise; from the daemon's configuration. */
export interface DnsDefaults {
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

/** Paths on the host of the files that a container sees in /etc. */
export interface NameFiles {
  readonly hosts: string;
  readonly hostname: string;
  readonly resolvConf: string;
}

/** A container's /etc/hosts, /etc/hostname and /etc/resolv.conf, written anew at each start. */
export class NetworkFiles {
  readonly #dirOf: (id: string) => string;
  readonly #dns: DnsDefaults;

  constructor({ dirOf, dns }: { dirOf: (id: string) => string; dns: DnsDefaults }) {
    this.#dirOf = dirOf;
    this.#dns = dns;
  }

  pathsOf(id: string): NameFiles {
    const dir = this.#dirOf(id);
    return {
      hosts: join(dir, 'hosts'),
      hostname: join(dir, 'hostname'),
      resolvConf: join(dir, 'resolv.conf'),
    };
  }

  write({ id, spec }: ContainerRecord, endpoints: readonly EndpointInfo[]): void {
    const { config, hostConfig } = spec;
    const paths = this.pathsOf(id);
    const hostNetwork = hostConfig.NetworkMode === 'host';
    const gateway = endpoints.find((endpoint) => endpoint.gateway !== undefined)?.gateway;
    const hosts = hostsFile({
      hostname: config.Hostname,
      domainname: config.Domainname,
      addresses: endpoints.flatMap(({ address }) => address ?? []),
      extraHosts: hostConfig.ExtraHosts ?? [],
      ...(gateway !== undefined && { gateway }),
    });
    writeFileSync(
      paths.hosts,
      hostNetwork ? withExtra(readText('/etc/hosts'), hosts, hostConfig.ExtraHosts ?? []) : hosts,
    );
    writeFileSync(paths.hostname, `${config.Hostname}\n`);
    const own = (asked: readonly string[] | null, fallback: readonly string[]): readonly string[] =>
      asked === null || asked.length === 0 ? fallback : asked;
    writeFileSync(
      paths.resolvConf,
      resolvConf({
        host: readText('/etc/resolv.conf'),
        dns: own(hostConfig.Dns, this.#dns.servers),
        search: own(hostConfig.DnsSearch, this.#dns.search),
        options: own(hostConfig.DnsOptions, this.#dns.options),
        hostNetwork,
      }),
    );
  }

  /** Adds a running container's address in one more network to its hosts file, which it may have changed itself. */
  addHost({ id, spec }: ContainerRecord, { address }: EndpointInfo): void {
    if (address === undefined) return;
    const { Hostname: hostname, Domainname: domainname } = spec.config;
    appendFileSync(this.pathsOf(id).hosts, hostLine({ hostname, domainname }, address));
  }

  /** Takes its address in a network out of its hosts file again. */
  removeHost({ id }: ContainerRecord, { address }: EndpointInfo): void {
    const path = this.pathsOf(id).hosts;
    // A file that the container has blown up is its own business.
    if (address === undefined || statSync(path).size > maxHostsSize) return;
    const lines = readFileSync(path, 'utf8').split('\n');
    writeFileSync(path, lines.filter((line) => !line.startsWith(`${address}\t`)).join('\n'));
  }
}

/** Bytes. */
const maxHostsSize = 1024 * 1024;

/** The binds of the files; where somebody mounts something else there, that wins. */
export function nameFileMounts(files: NameFiles, { spec }: ContainerRecord): MountInput[] {
  const taken = new Set(spec.mounts.map(({ Destination }) => Destination));
  const binds: readonly (readonly [string, string])[] = [
    ['/etc/hosts', files.hosts],
    ['/etc/hostname', files.hostname],
    ['/etc/resolv.conf', files.resolvConf],
  ];
  return binds
    .filter(([target]) => !taken.has(target))
    .map(
      ([target, source]): MountInput => ({
        kind: 'bind',
        source,
        target,
        readonly: spec.hostConfig.ReadonlyRootfs ? 'yes' : 'no',
      }),
    );
}

/** With the host's network its own names hold; entries of `--add-host` come behind. */
function withExtra(host: string, own: string, extraHosts: readonly string[]): string {
  if (extraHosts.length === 0) return host;
  const lines = own
    .split('\n')
    .filter((line) => extraHosts.some((entry) => line.endsWith(`\t${entry.split(/[:=]/, 1)[0]}`)));
  return `${host.replace(/\n?$/, '\n')}${lines.join('\n')}\n`;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return '';
    throw error;
  }
}
