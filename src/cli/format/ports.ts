import type { Port } from '#/wire/container-inspect.ts';

/** `host:port`, with brackets around IPv6 addresses. */
export function joinHostPort(host: string, port: number | string): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

interface Range {
  first: number;
  last: number;
}

/**
 * The ports of a container as listings show them: `0.0.0.0:8080->80/tcp, 443/tcp`. Neighbouring ports that are
 * published under their own numbers, or not at all, become ranges.
 */
export function displayPorts(ports: readonly Port[]): string {
  const sorted = [...ports].sort(
    (a, b) =>
      a.PrivatePort - b.PrivatePort ||
      compareText(a.IP ?? '', b.IP ?? '') ||
      (a.PublicPort ?? 0) - (b.PublicPort ?? 0) ||
      compareText(a.Type, b.Type),
  );
  const groups = new Map<string, Range>();
  const closed: string[] = [];
  const mapped: string[] = [];
  for (const { IP = '', PrivatePort, PublicPort = 0, Type } of sorted) {
    if (IP !== '' && PublicPort !== PrivatePort) {
      mapped.push(`${joinHostPort(IP, PublicPort)}->${PrivatePort}/${Type}`);
      continue;
    }
    const key = `${IP}/${Type}`;
    const group = groups.get(key);
    if (group !== undefined && PrivatePort === group.last + 1) {
      group.last = PrivatePort;
      continue;
    }
    if (group !== undefined) closed.push(displayRange(key, group));
    groups.set(key, { first: PrivatePort, last: PrivatePort });
  }
  return [...closed, ...[...groups].map(([key, range]) => displayRange(key, range)), ...mapped].join(', ');
}

function displayRange(key: string, { first, last }: Range): string {
  const [ip = '', type = ''] = key.split('/');
  const numbers = first === last ? String(first) : `${first}-${last}`;
  return ip === '' ? `${numbers}/${type}` : `${joinHostPort(ip, numbers)}->${numbers}/${type}`;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
