import { isIP } from 'node:net';
import { invalid } from '#/base/errors.ts';
import { goQuote } from '#/base/go-quote.ts';

/** A word of EXPOSE, taken apart. */
export interface ExposedPorts {
  readonly first: number;
  readonly last: number;
  /** As it is written. */
  readonly protocol: string;
  /** There is an address or a port of the host in front, which means nothing here. */
  readonly hasHostPart: boolean;
}

/** Ports that one EXPOSE may name: all there are, for three protocols, and some of them again. */
const maxPorts = 4 * 65_536;

/** The ports that the words of an EXPOSE name, as `port/protocol`: `80`, `80/udp`, `90-92`. Throws `invalid`. */
export function parseExpose(words: readonly string[]): string[] {
  const exposed = words.map(readExposed);
  const count = exposed.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  if (count > maxPorts) throw invalid(`EXPOSE names ${count} ports, more than ${maxPorts}`);
  const ports: string[] = [];
  for (const { first, last, protocol } of exposed) {
    for (let port = first; port <= last; port += 1) ports.push(`${port}/${protocol.toLowerCase()}`);
  }
  return ports;
}

/** Reads one word of EXPOSE. Throws `invalid`. */
export function readExposed(word: string): ExposedPorts {
  const parts = word.split(':');
  const text = parts.pop() ?? '';
  const hostPort = parts.pop() ?? '';
  const address = parts.join(':');
  const [ports = '', ...more] = text.split('/');
  if (ports === '') throw invalid(`invalid port: ${goQuote(word)}: no port specified`);
  const protocol = more.join('/') || 'tcp';
  if (!['tcp', 'udp', 'sctp'].includes(protocol.toLowerCase())) {
    throw invalid(`invalid port: ${goQuote(word)}: invalid proto: ${protocol}`);
  }
  const bare = address.replace(/^\[(.*)\]$/, '$1');
  if (bare !== '' && isIP(bare) === 0) throw invalid(`invalid IP address: ${bare}`);
  const { first, last } = portRange(ports, 'containerPort');
  if (hostPort !== '') {
    const host = portRange(hostPort, 'hostPort');
    if (host.last - host.first !== last - first && last > first) {
      throw invalid(`invalid ranges specified for container and host Ports: ${ports} and ${hostPort}`);
    }
  }
  return { first, last, protocol, hasHostPart: hostPort !== '' || address !== '' };
}

function portRange(text: string, what: string): { first: number; last: number } {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || last > 65535 || first > last) throw invalid(`invalid ${what}: ${text}`);
  return { first, last };
}
