import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Makes a small project to build: files of several kinds, some that the context leaves out, and Dockerfiles. */
export function makeBuildFolder(root: string): void {
  mkdirSync(join(root, 'files/deep'), { recursive: true });
  const files: Readonly<Record<string, string>> = {
    'files/a': 'content of a\n',
    'files/deep/run.sh': '#!/bin/sh\necho ran\n',
    '.env': 'not for the image',
    'files/deep/skipped.log': 'not either',
    '.dockerignore': '.env\n**/*.log\n',
    Dockerfile: `FROM busybox
ARG WORD=default
COPY . /all
RUN --mount=type=secret,id=token cat /run/secrets/token > /dev/null; echo "word: $WORD"; sh /all/files/deep/run.sh
LABEL from=file
CMD ["cat", "/all/files/a"]
`,
    Failing: 'FROM busybox\nRUN echo before; echo lost >&2; exit 9\n',
    Wrong: 'FROM busybox\nRUM echo\n',
    Empty: 'FROM scratch\nCOPY files /\n',
  };
  for (const [path, content] of Object.entries(files)) writeFileSync(join(root, path), content);
  symlinkSync('../a', join(root, 'files/deep/link'));
  linkSync(join(root, 'files/a'), join(root, 'files/hard'));
}
