import { keywords } from './arguments.ts';

const usages: Readonly<Record<string, readonly string[]>> = {
  ADD: [
    'ADD [--chown=USER[:GROUP]] [--chmod=MODE] [--link] [--exclude=PATTERN] [--checksum=DIGEST] [--keep-git-dir] [--unpack] SOURCE... DESTINATION',
    'ADD [FLAGS] ["SOURCE", "DESTINATION"]',
  ],
  ARG: ['ARG NAME[=DEFAULT]...'],
  CMD: ['CMD ["program", "argument"]', 'CMD command for the shell'],
  COPY: [
    'COPY [--from=STAGE|IMAGE|CONTEXT] [--chown=USER[:GROUP]] [--chmod=MODE] [--link] [--parents] [--exclude=PATTERN] SOURCE... DESTINATION',
    'COPY [FLAGS] ["SOURCE", "DESTINATION"]',
  ],
  ENTRYPOINT: ['ENTRYPOINT ["program", "argument"]', 'ENTRYPOINT command for the shell'],
  ENV: ['ENV NAME=VALUE... (quotes around values with blanks: NAME="a b")'],
  EXPOSE: ['EXPOSE PORT[-PORT][/tcp|/udp|/sctp]...'],
  FROM: [
    'FROM [--platform=OS/ARCH[/VARIANT]] IMAGE|STAGE|scratch [AS NAME] (names begin with a letter; then a-z 0-9 _ . -)',
  ],
  HEALTHCHECK: [
    'HEALTHCHECK [--interval=30s] [--timeout=30s] [--start-period=0s] [--start-interval=5s] [--retries=3] CMD command',
    'HEALTHCHECK NONE',
  ],
  LABEL: ['LABEL NAME=VALUE... (quotes around values with blanks: NAME="a b")'],
  MAINTAINER: ['LABEL org.opencontainers.image.authors="NAME" (MAINTAINER is deprecated)'],
  ONBUILD: ['ONBUILD INSTRUCTION (any but FROM, MAINTAINER and ONBUILD)'],
  RUN: [
    'RUN [--mount=type=bind|cache|tmpfs|secret|ssh,...] [--network=default|none|host|NAME] [--security=sandbox|insecure] [--device=NAME] command for the shell',
    'RUN [FLAGS] ["program", "argument"]',
  ],
  SHELL: ['SHELL ["/bin/sh", "-c"]'],
  STOPSIGNAL: ['STOPSIGNAL SIGNAL (SIGTERM, 15)'],
  USER: ['USER USER[:GROUP]'],
  VOLUME: ['VOLUME PATH...', 'VOLUME ["PATH"]'],
  WORKDIR: ['WORKDIR PATH'],
};

/** How an instruction is written, for people; for an unknown one, which there are. */
export function usageOf(keyword: string): string {
  const name = keyword.toUpperCase();
  const forms = Object.hasOwn(usages, name) ? usages[name] : undefined;
  if (forms !== undefined) return `Usage: ${forms.join(' or ')}`;
  return `Instructions are ${keywords.toSorted().join(', ')}. A line that goes on in the next one must end with a backslash.`;
}
