import { constants, fstatSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { internal, invalid, isSystemError } from '#/base/errors.ts';
import { ignoreFileNames, parseIgnoreFile } from '#/dockerfile/ignore.ts';
import { type Dockerfile, parseDockerfile } from '#/dockerfile/parse.ts';
import { close, openat2, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from '#/kernel/at.ts';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { Directory } from '#/storage/tree/directory.ts';
import type { DockerfileEvent, ProgressSink } from '../progress.ts';
import type { BuildContext, BuildRequest } from '../request.ts';
import { VertexReport } from '../solve/vertex-report.ts';

/** The Dockerfile of a build, and what its context leaves out. */
export interface LoadedDockerfile {
  readonly dockerfile: Dockerfile;
  /** Patterns for the main context. */
  readonly excludes: readonly string[];
  /** What loading it is called in progress; undefined if it came with the request. */
  readonly vertex: Digest | undefined;
}

interface LoadControl {
  readonly signal: AbortSignal;
  readonly progress: ProgressSink;
}

/** Larger ones are no Dockerfiles. Bytes. */
const maxBytes = 16 * 1024 * 1024;
const usualName = 'Dockerfile';

/** Fetches and reads the Dockerfile and the ignore file that counts for it. Throws `DockerfileError`, `invalid` if there is none. */
export async function loadDockerfile(request: BuildRequest, control: LoadControl): Promise<LoadedDockerfile> {
  const { dockerfile: wanted, context } = request;
  if (wanted.kind === 'bytes') {
    const ignore = await ignoreFile(context, { names: ignoreFileNames(wanted.name), control });
    const dockerfile = parseDockerfile(wanted.bytes, { name: wanted.name });
    return { dockerfile, excludes: ignore ?? [], vertex: undefined };
  }
  const { path } = wanted;
  // As Docker's builders do, for the name that is the usual one.
  const lower = basename(path) === usualName ? join(dirname(path), usualName.toLowerCase()) : undefined;
  const [beside = '', general = ''] = ignoreFileNames(path);
  const loading = vertex(`[internal] load build definition from ${path}`, `dockerfile ${path}`);
  const report = new VertexReport(loading, control.progress);
  const isSame = wanted.context === context;
  const files = await report.during(() =>
    readFiles(wanted.context, {
      paths: [path, ...(lower === undefined ? [] : [lower]), beside, ...(isSame ? [general] : [])],
      control,
      report,
    }),
  );
  const bytes = files.get(path) ?? (lower === undefined ? undefined : files.get(lower));
  if (bytes === undefined)
    throw invalid(`failed to read dockerfile: open ${path}: no such file or directory`);
  const own = files.get(beside);
  const found = own ?? files.get(general);
  const excludes =
    found !== undefined
      ? parseIgnoreFile(found, own === undefined ? general : beside)
      : isSame
        ? []
        : await ignoreFile(context, { names: [general], control });
  return {
    dockerfile: parseDockerfile(bytes, { name: path }),
    excludes: excludes ?? [],
    vertex: loading.digest,
  };
}

async function ignoreFile(
  context: BuildContext,
  { names, control }: { names: readonly string[]; control: LoadControl },
): Promise<string[] | undefined> {
  const report = new VertexReport(vertex('[internal] load .dockerignore', 'ignore file'), control.progress);
  const files = await report.during(() => readFiles(context, { paths: names, control, report }));
  for (const name of names) {
    const bytes = files.get(name);
    if (bytes !== undefined) return parseIgnoreFile(bytes, name);
  }
  return undefined;
}

function vertex(name: string, id: string): ConstructorParameters<typeof VertexReport>[0] {
  return { digest: digestOf(id), name, inputs: [] };
}

async function readFiles(
  context: BuildContext,
  {
    paths,
    control: { signal },
    report,
  }: { paths: readonly string[]; control: LoadControl; report: VertexReport },
): Promise<Map<string, Buffer>> {
  await using tree = await context.open(
    { excludes: [], includes: paths, followPaths: paths },
    { signal, progress: (status) => report.status(status) },
  );
  const files = new Map<string, Buffer>();
  for (const path of paths) {
    const bytes = readInside(tree.root, path);
    if (bytes !== undefined) files.set(path, bytes);
  }
  return files;
}

/** A file of a tree whose links lead nowhere else; undefined if there is none. */
function readInside(root: string, path: string): Buffer | undefined {
  using directory = Directory.open(root);
  let fd: number;
  try {
    fd = openat2(directory.fd, path.replace(/^\/+/, ''), {
      flags: constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY,
      resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    });
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw internal(`cannot read ${path} of the context`, error);
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw invalid(`failed to read ${path}: it is not a file`);
    if (stats.size > maxBytes) throw invalid(`failed to read ${path}: it is larger than ${maxBytes} bytes`);
    return readFileSync(fd);
  } finally {
    close(fd);
  }
}

/** What a Dockerfile says, for progress. */
export function dockerfileEvent({ metaArgs, stages, emptyContinuations }: Dockerfile): DockerfileEvent {
  const gaps = new Set(emptyContinuations.map(({ end }) => end.line));
  const all = [...metaArgs, ...stages.flatMap(({ from, instructions }) => [from, ...instructions])];
  const instructions = all.map(({ text, range: { start, end } }) => {
    return { text, line: start.line, hasGap: gaps.has(end.line) };
  });
  return { kind: 'dockerfile', instructions };
}
