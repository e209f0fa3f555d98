import { invalid } from '#/base/errors.ts';

/** The ports of one word of EXPOSE, as `port/protocol`: `80`, `80/udp`, `90-92`. */
export function parseExpose(word: string): string[] {
  const [ports = '', protocol = 'tcp', ...more] = word.split('/');
  if (more.length > 0 || !['tcp', 'udp', 'sctp'].includes(protocol.toLowerCase())) {
    throw invalid(`Invalid proto: ${[protocol, ...more].join('/')}`);
  }
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(ports);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || last > 65535 || first > last) throw invalid(`Invalid containerPort: ${ports}`);
  return Array.from({ length: last - first + 1 }, (_, i) => `${first + i}/${protocol.toLowerCase()}`);
}
