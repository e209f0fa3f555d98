import { isIP } from 'node:net';
import { invalid } from '#/base/errors.ts';
import { goQuote } from '#/base/go-quote.ts';

/** A word of EXPOSE, taken apart. */
export interface ExposedPorts {
  /** As `port/protocol`, each for itself. */
  readonly ports: readonly string[];
  /** As it is written. */
  readonly protocol: string;
  /** There is an address or a port of the host in front, which means nothing here. */
  readonly hasHostPart: boolean;
}

/** The ports of one word of EXPOSE, as `port/protocol`: `80`, `80/udp`, `90-92`. */
export function parseExpose(word: string): readonly string[] {
  return readExposed(word).ports;
}

/** Reads one word of EXPOSE. Throws `invalid`. */
export function readExposed(word: string): ExposedPorts {
  const parts = word.split(':');
  const last = parts.pop() ?? '';
  const hostPort = parts.pop() ?? '';
  const address = parts.join(':');
  const [ports = '', ...more] = last.split('/');
  if (ports === '') throw invalid(`invalid port: ${goQuote(word)}: no port specified`);
  const protocol = more.join('/') || 'tcp';
  if (!['tcp', 'udp', 'sctp'].includes(protocol.toLowerCase())) {
    throw invalid(`invalid port: ${goQuote(word)}: invalid proto: ${protocol}`);
  }
  const bare = address.replace(/^\[(.*)\]$/, '$1');
  if (bare !== '' && isIP(bare) === 0) throw invalid(`invalid IP address: ${bare}`);
  const { first, count } = portRange(ports, 'containerPort');
  if (hostPort !== '') {
    const host = portRange(hostPort, 'hostPort');
    if (host.count !== count && count > 1) {
      throw invalid(`invalid ranges specified for container and host Ports: ${ports} and ${hostPort}`);
    }
  }
  return {
    ports: Array.from({ length: count }, (_, index) => `${first + index}/${protocol.toLowerCase()}`),
    protocol,
    hasHostPart: hostPort !== '' || address !== '',
  };
}

function portRange(text: string, what: string): { first: number; count: number } {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || last > 65535 || first > last) throw invalid(`invalid ${what}: ${text}`);
  return { first, count: last - first + 1 };
}
