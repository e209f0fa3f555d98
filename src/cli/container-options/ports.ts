import { isIP } from 'node:net';
import type { GoSet, PortBinding, PortMap } from '#/wire/containers.ts';

/** What `--publish` and `--expose` say together. */
export interface PortOptions {
  readonly exposed: GoSet;
  readonly bindings: PortMap;
}

interface Range {
  readonly first: number;
  readonly last: number;
}

/** Parses `--publish` ([[address:]port:]port[/protocol], with ranges) and `--expose`. Throws an Error in docker's words. */
export function parsePorts(publish: readonly string[], expose: readonly string[]): PortOptions {
  const exposed: Record<string, Readonly<Record<string, never>>> = {};
  const bindings: Record<string, PortBinding[]> = {};
  for (const spec of publish.map(standardNotation)) {
    for (const [port, binding] of publishedPorts(spec)) {
      exposed[port] = {};
      (bindings[port] ??= []).push(binding);
    }
  }
  for (const spec of expose) for (const port of exposedPorts(spec)) exposed[port] = {};
  return { exposed, bindings };
}

/** `published=80,target=8080,protocol=tcp` in the usual form. */
function standardNotation(text: string): string {
  if (!text.includes('=')) return text;
  const fields: Record<string, string> = { protocol: 'tcp' };
  for (const field of text.split(',')) {
    const at = field.indexOf('=');
    if (at <= 0) throw new Error(`invalid publish opts format (should be name=value but got '${field}')`);
    fields[field.slice(0, at)] = field.slice(at + 1);
  }
  return `${fields['published'] ?? ''}:${fields['target'] ?? ''}/${fields['protocol'] ?? ''}`;
}

function splitProtocol(text: string): { port: string; protocol: string } {
  const [port = '', protocol = ''] = text.split('/');
  if (port === '') return { port: '', protocol: '' };
  return { port, protocol: protocol === '' ? 'tcp' : protocol };
}

function port(text: string): number {
  if (!/^\d+$/.test(text))
    throw new Error(`strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`);
  if (Number(text) > 65_535) {
    throw new Error(`strconv.ParseUint: parsing ${JSON.stringify(text)}: value out of range`);
  }
  return Number(text);
}

function range(text: string): Range {
  if (text === '') throw new Error('empty string specified for ports');
  const at = text.indexOf('-');
  const first = port(at < 0 ? text : text.slice(0, at));
  const last = at < 0 ? first : port(text.slice(at + 1));
  if (last < first) throw new Error(`invalid range specified for port: ${text}`);
  return { first, last };
}

function checkProtocol(protocol: string): string {
  if (!['tcp', 'udp', 'sctp'].includes(protocol.toLowerCase())) throw new Error(`invalid proto: ${protocol}`);
  return protocol.toLowerCase();
}

function hostAddress(text: string): string {
  const bare = /^\[.*\]$/.test(text) ? text.slice(1, -1) : text;
  if (bare !== '' && isIP(bare) === 0) throw new Error(`invalid IP address: ${text}`);
  return bare;
}

function rangeOr(text: string, message: string): Range {
  try {
    return range(text);
  } catch (error) {
    throw new Error(message, { cause: error });
  }
}

function publishedPorts(spec: string): [string, PortBinding][] {
  const parts = spec.split(':');
  const { port: containerText, protocol } = splitProtocol(parts.at(-1) ?? '');
  const hostText = parts.at(-2) ?? '';
  const address = hostAddress(parts.slice(0, -2).join(':'));
  if (containerText === '') throw new Error(`no port specified: ${spec}<empty>`);
  const container = rangeOr(containerText, `invalid containerPort: ${containerText}`);
  const host = hostText === '' ? undefined : rangeOr(hostText, `invalid hostPort: ${hostText}`);
  const single = container.first === container.last;
  if (host !== undefined && !single && container.last - container.first !== host.last - host.first) {
    throw new Error(
      `invalid ranges specified for container and host Ports: ${containerText} and ${hostText}`,
    );
  }
  const checked = checkProtocol(protocol);
  return Array.from({ length: container.last - container.first + 1 }, (_none, index) => [
    `${container.first + index}/${checked}`,
    { HostIp: address, HostPort: hostPort(host, index, single) },
  ]);
}

/** For one port of the container and a range of the host, the daemon picks one of the range. */
function hostPort(host: Range | undefined, index: number, single: boolean): string {
  if (host === undefined) return '';
  return single && host.last !== host.first ? `${host.first}-${host.last}` : String(host.first + index);
}

function exposedPorts(spec: string): string[] {
  if (spec.includes(':')) throw new Error(`invalid port format for --expose: ${spec}`);
  const { port: text, protocol } = splitProtocol(spec);
  let ports: Range;
  try {
    ports = range(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : '';
    throw new Error(`invalid range format for --expose: ${spec}, error: ${reason}`, { cause: error });
  }
  return Array.from(
    { length: ports.last - ports.first + 1 },
    (_none, index) => `${ports.first + index}/${protocol}`,
  );
}
