import { posix } from 'node:path';
import { invalid } from '#/base/errors.ts';
import type { ArchiveContext } from '#/builder/context/archive-contexts.ts';
import type { BuildContext, DockerfileSource } from '#/builder/request.ts';
import { IgnoreRules, parseIgnoreFile } from '#/dockerfile/ignore.ts';
import type { Call } from '../call.ts';
import { uploadOf } from '../input.ts';
import type { BuildQuery } from './build-query.ts';
import { noSecrets, noSsh } from './nothing-lent.ts';

/** The longest Dockerfile, and the longest ignore file. Bytes. */
const maxDockerfile = 16 * 1024 * 1024;

/** The files of a classic build, until this is disposed of. */
export interface ClassicContext extends AsyncDisposable {
  readonly context: BuildContext;
  readonly dockerfile: DockerfileSource;
}

/** Gets the files of a classic build: the body, or what `remote` names. Throws `invalid`. */
export async function classicContext(
  call: Call,
  { dockerfile, remote }: BuildQuery,
  { signal }: { signal: AbortSignal },
): Promise<ClassicContext> {
  const { builder, builds } = call.engine;
  if (remote === 'client-session') {
    throw invalid(
      'experimental session with v1 builder is no longer supported, use builder version v2 (BuildKit) instead',
    );
  }
  const path = innerPath(dockerfile);
  if (remote !== '') {
    const access = { secrets: noSecrets, ssh: noSsh, dockerfile: path, keepGitDir: false };
    const context = builder.remoteContext(remote, access);
    if (context === undefined) throw invalid(`remoteURL (${remote}) could not be recognized as URL`);
    const nothing = { [Symbol.asyncDispose]: () => Promise.resolve() };
    return { context, dockerfile: { kind: 'file', context, path }, ...nothing };
  }
  await using stack = new AsyncDisposableStack();
  // Whoever the files belong to where they come from is nobody in the image.
  const wish = { name: 'context', owner: { uid: 0, gid: 0 }, signal };
  const context = stack.use(await builds.archives.receive(uploadOf(call), wish));
  const bytes = readDockerfile(context, path);
  await removeIgnored(context, path);
  const owned = stack.move();
  return {
    context,
    dockerfile: { kind: 'bytes', name: path, bytes },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The path in its shortest form, from the top of the context. Throws `invalid` for one that leads out. */
function innerPath(path: string): string {
  const clean = posix.normalize(path).replace(/^\/+/, '').replace(/\/+$/, '');
  if (clean === '..' || clean.startsWith('../') || clean.includes('\0')) {
    throw invalid(`forbidden path outside the build context: ${path} ()`);
  }
  return clean;
}

function readDockerfile(context: ArchiveContext, path: string): Buffer {
  const bytes =
    context.read(path, maxDockerfile) ??
    (path === 'Dockerfile' ? context.read('dockerfile', maxDockerfile) : undefined);
  if (bytes === undefined) throw invalid(`Cannot locate specified Dockerfile: ${path}`);
  if (bytes.length === 0) throw invalid(`the Dockerfile (${path}) cannot be empty`);
  return bytes;
}

/**
 * Clients leave out what their ignore file excludes, but for the Dockerfile and the ignore file, which the daemon has to
 * read. If they are excluded, COPY must not see them.
 */
async function removeIgnored(context: ArchiveContext, dockerfile: string): Promise<void> {
  const name = '.dockerignore';
  const content = context.read(name, maxDockerfile);
  if (content === undefined) return;
  const rules = new IgnoreRules(parseIgnoreFile(content, name));
  for (const path of [name, dockerfile]) if (rules.excludes(path)) await context.remove(path);
}
