import type { Dockerfile } from '#/dockerfile/parse.ts';
import type { Digest } from '#/oci/digest.ts';
import type { WarningEvent } from '../progress.ts';

/** Names of the front end whose language Skiff knows itself. */
const own = /^(docker\.io\/)?docker\/dockerfile(-upstream)?(:[\w.-]+)?(@sha256:[0-9a-f]+)?$/;

/**
 * What to say of a `# syntax=` that names a program of somebody's own: images are not run as front ends, since they would decide
 * on the daemon's work. Undefined: there is none.
 */
export function foreignFrontEnd(
  { syntax, source }: Pick<Dockerfile, 'syntax' | 'source'>,
  vertex: Digest | undefined,
): WarningEvent | undefined {
  const name = syntax?.trim().split(/\s+/, 1)[0] ?? '';
  if (name === '' || own.test(name)) return undefined;
  const line = source.lines.findIndex((text) => /^#\s*syntax\s*=/i.test(text)) + 1;
  return {
    kind: 'warning',
    vertex,
    rule: 'ForeignFrontEnd',
    short: `ForeignFrontEnd: "# syntax=${name}" is not followed (line ${line})`,
    detail: ['The file is read as a Dockerfile: images are not run as front ends.', 'Remove the directive.'],
    url: '',
    source,
    lines: [line, line],
  };
}
