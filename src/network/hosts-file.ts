/** What a container's /etc/hosts is made from. */
export interface HostsFileInput {
  /** The container's name for itself, without its domain. */
  readonly hostname: string;
  /** Empty if there is none. */
  readonly domainname: string;
  /** The container's address in each of its networks; empty without a network. */
  readonly addresses: readonly string[];
  /** Entries of `--add-host`, `name:address` or `name=address`; the address `host-gateway` stands for `gateway`. */
  readonly extraHosts: readonly string[];
  /** The host's address as the container sees it; undefined: entries with `host-gateway` are left out. */
  readonly gateway?: string;
}

const standard: readonly string[] = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff00::\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

/** The text of a container's /etc/hosts: the standard names, then extra ones in their order, then its own. */
export function hostsFile(input: HostsFileInput): string {
  const lines = [...standard, ...input.extraHosts.flatMap((entry) => extraLine(entry, input.gateway))];
  return `${lines.join('\n')}\n${input.addresses.map((address) => hostLine(input, address)).join('')}`;
}

/** The line for a container's own name at one of its addresses. */
export function hostLine(names: Pick<HostsFileInput, 'hostname' | 'domainname'>, address: string): string {
  return `${address}\t${ownNames(names)}\n`;
}

/** Splits an entry of `--add-host` at the first `:` or `=`: an IPv6 address contains colons, a name does not. */
export function splitExtraHost(entry: string): { name: string; address: string } {
  const at = entry.search(/[:=]/);
  const address = entry.slice(at + 1).replace(/^\[(.*)\]$/, '$1');
  return { name: at < 0 ? entry : entry.slice(0, at), address: at < 0 ? '' : address };
}

function extraLine(entry: string, gateway: string | undefined): string[] {
  const { name, address } = splitExtraHost(entry);
  const value = address === 'host-gateway' ? gateway : address;
  return value === undefined ? [] : [`${value}\t${name}`];
}

/** `foo.example.com foo` for a name with a domain (given apart or within the host name), else just the name. */
function ownNames({ hostname, domainname }: Pick<HostsFileInput, 'hostname' | 'domainname'>): string {
  const full = domainname === '' ? hostname : `${hostname}.${domainname}`;
  const short = full.split('.', 1)[0] ?? full;
  return short === full ? full : `${full} ${short}`;
}
