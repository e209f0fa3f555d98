import { isIP } from 'node:net';

/** Checks of single flag values. Each gives the value to send or throws an Error in docker's words. */

export function checkAttach(text: string): string {
  const stream = text.toLowerCase();
  if (['stdin', 'stdout', 'stderr'].includes(stream)) return stream;
  throw new Error('valid streams are STDIN, STDOUT and STDERR');
}

export function checkIp(text: string): string {
  const address = text.trim();
  if (isIP(address) === 0) throw new Error(`IP address is not correctly formatted: ${text}`);
  return address;
}

export function checkDeviceRule(text: string): string {
  if (/^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(text)) return text;
  throw new Error(`invalid device cgroup format '${text}'`);
}

export function checkDnsSearch(text: string): string {
  const domain = text.trim();
  if (domain === '.') return domain;
  const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
  const valid = new RegExp(`^(${label}(?:\\.${label})*)\\.?$`).exec(domain)?.[1];
  if (valid === undefined || !/[a-zA-Z]/.test(domain) || valid.length >= 255) {
    throw new Error(`${domain} is not a valid domain`);
  }
  return valid;
}

export function checkExtraHost(text: string): string {
  const at = text.includes('=') ? text.indexOf('=') : text.indexOf(':');
  const host = text.slice(0, Math.max(0, at));
  if (host === '' || host.includes(':')) throw new Error(`bad format for add-host: ${JSON.stringify(text)}`);
  const value = text.slice(at + 1);
  if (value === 'host-gateway') return `${host}:${value}`;
  const address = /^\[.+\]$/.test(value) ? value.slice(1, -1) : value;
  if (isIP(address.trim()) === 0)
    throw new Error(`invalid IP address in add-host: ${JSON.stringify(address)}`);
  return `${host}:${address}`;
}

export function checkLink(text: string): string {
  if (text === '') throw new Error('empty string specified for links');
  if (text.split(':').length > 2) throw new Error(`bad format for links: ${text}`);
  return text;
}

const sysctls = new Set([
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
  'kernel.shm_rmid_forced',
]);

/** Only parameters that a container has for itself. */
export function checkSysctl(text: string): string {
  const at = text.indexOf('=');
  const name = text.slice(0, Math.max(0, at));
  if (sysctls.has(name) || name.startsWith('net.') || name.startsWith('fs.mqueue.')) return text;
  throw new Error(`sysctl '${text}' is not allowed`);
}

/** Whether the text is a MAC address of 6, 8 or 20 bytes in one of the usual notations. */
export function isMacAddress(text: string): boolean {
  const pairs =
    /^[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1)*[0-9a-f]{2}$/i.test(text) && [17, 23, 59].includes(text.length);
  const dotted = /^[0-9a-f]{4}(?:\.[0-9a-f]{4})+$/i.test(text) && [14, 19, 49].includes(text.length);
  return pairs || dotted;
}
