import { invalid, notImplemented } from '#/base/errors.ts';
import { formatIpv4, parseIpv4 } from './address.ts';
import { isLinkName } from './rules.ts';

/** The driver options of a bridge network, read and completed. */
export interface BridgeOptions {
  /** Name of the link; undefined: made from the network's id. */
  readonly link: string | undefined;
  /** Endpoints may talk to each other without published ports. */
  readonly icc: boolean;
  /** Outgoing connections get the host's address. */
  readonly masquerade: boolean;
  /** Where ports are published if nobody says: dotted decimal. */
  readonly hostIp: string;
  /** Largest packet in bytes; undefined: the daemon's setting. */
  readonly mtu: number | undefined;
  /** Interfaces in containers are called this and a number. */
  readonly interfacePrefix: string;
}

const prefix = 'com.docker.network.';

/** Options that change where packets may go: ignoring one of them would be wrong, not just incomplete. */
const unsupported: Readonly<Record<string, string>> = {
  'bridge.gateway_mode_ipv4': 'nat',
  'bridge.inhibit_ipv4': 'false',
  'bridge.trusted_host_interfaces': '',
};

/** Reads a network's driver options by Docker's names. Unknown ones are ignored, as Docker does. */
export function parseBridgeOptions(options: Readonly<Record<string, string>>): BridgeOptions {
  for (const [key, harmless] of Object.entries(unsupported)) {
    const value = options[prefix + key];
    if (value !== undefined && value !== '' && value !== harmless) {
      throw notImplemented(`network option ${prefix}${key}="${value}" is not supported yet`);
    }
  }
  return {
    link: parseLink(options),
    icc: parseBool(options, 'bridge.enable_icc'),
    masquerade: parseBool(options, 'bridge.enable_ip_masquerade'),
    hostIp: parseHostIp(options),
    mtu: parseMtu(options),
    interfacePrefix: parseInterfacePrefix(options),
  };
}

function parseLink(options: Readonly<Record<string, string>>): string | undefined {
  const name = options[`${prefix}bridge.name`];
  if (name === undefined || name === '') return undefined;
  if (!isLinkName(name))
    throw invalid(`invalid ${prefix}bridge.name value: "${name}" cannot be the name of a link`);
  return name;
}

/** As Go's ParseBool; all options of this kind are on by default. */
function parseBool(options: Readonly<Record<string, string>>, key: string): boolean {
  const value = options[prefix + key];
  if (value === undefined || /^(1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw invalid(`failed to parse ${prefix}${key} value: ${value} (neither true nor false)`);
}

function parseHostIp(options: Readonly<Record<string, string>>): string {
  const value = options[`${prefix}bridge.host_binding_ipv4`] ?? '';
  const address = value === '' ? 0 : parseIpv4(value);
  if (address === undefined) {
    throw invalid(`failed to parse ${prefix}bridge.host_binding_ipv4 value: ${value} (not an IPv4 address)`);
  }
  return formatIpv4(address);
}

/** 68 is the least that IPv4 needs (RFC 791), 65535 the most that it can use. */
function parseMtu(options: Readonly<Record<string, string>>): number | undefined {
  const value = options[`${prefix}driver.mtu`];
  if (value === undefined || value === '' || value === '0') return undefined;
  const mtu = /^\d{1,5}$/.test(value) ? Number(value) : 0;
  if (mtu < 68 || mtu > 65535) {
    throw invalid(`failed to parse ${prefix}driver.mtu value: ${value} (not a number from 68 to 65535)`);
  }
  return mtu;
}

/** The kernel's limit leaves room for three digits. */
function parseInterfacePrefix(options: Readonly<Record<string, string>>): string {
  const value = options[`${prefix}container_iface_prefix`] ?? 'eth';
  if (!/^[A-Za-z0-9_-]{1,12}$/.test(value)) {
    throw invalid(`invalid ${prefix}container_iface_prefix value: "${value}"`);
  }
  return value;
}
