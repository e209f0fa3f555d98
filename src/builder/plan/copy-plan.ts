import { posix } from 'node:path';
import { invalid } from '#/base/errors.ts';
import { invalidHinted } from '#/dockerfile/errors.ts';
import type { AddInstruction, CopyInstruction } from '#/dockerfile/instruction.ts';
import { parseGitUrl } from '../sources/git/git-url.ts';
import type { CopyInput, CopyNode, TreeInput } from './graph.ts';
import type { StageState } from './stage-state.ts';

/** Finds what `--from` names (undefined is the build's context), of which `path` is taken. */
export type FindTree = (from: string | undefined, path: string) => Promise<TreeInput>;

/** A step that copies, as far as the instruction decides on it, and its line in the history. */
export type CopyParts = Pick<
  CopyNode,
  'sources' | 'destination' | 'chown' | 'chmod' | 'excludes' | 'parents' | 'link' | 'unpack'
> & { readonly shown: string };

/** What a COPY or ADD (whose variables are replaced already) comes to. */
export async function planCopy(
  state: StageState,
  instruction: CopyInstruction | AddInstruction,
  findTree: FindTree,
): Promise<CopyParts> {
  const from = instruction.kind === 'copy' ? instruction.from : undefined;
  if (from !== undefined && instruction.sources.some(({ kind }) => kind === 'inline'))
    throw invalid('COPY --from does not take here-documents');
  const sources = await Promise.all(
    instruction.sources.map((source) => inputOf(source, { instruction, from, findTree })),
  );
  const checksum = instruction.kind === 'add' ? instruction.checksum : undefined;
  if (checksum !== undefined) checkChecksum(sources);
  return {
    sources,
    destination: destinationOf(instruction.destination, state, instruction.sources.length),
    chown: instruction.chown,
    chmod: instruction.chmod,
    excludes: instruction.excludes,
    parents: instruction.kind === 'copy' && instruction.parents,
    link: instruction.link,
    unpack: unpacking(instruction),
    shown: historyText(instruction),
  };
}

function unpacking(instruction: CopyInstruction | AddInstruction): CopyNode['unpack'] {
  if (instruction.kind === 'copy') return 'never';
  if (instruction.unpack === undefined) return 'archives';
  return instruction.unpack ? 'always' : 'never';
}

async function inputOf(
  source: CopyInstruction['sources'][number],
  {
    instruction,
    from,
    findTree,
  }: { instruction: CopyInstruction | AddInstruction; from: string | undefined; findTree: FindTree },
): Promise<CopyInput> {
  if (source.kind === 'inline') return source;
  const { path } = source;
  if (instruction.kind === 'add') {
    const { checksum, keepGitDir = false } = instruction;
    if (parseGitUrl(path) !== undefined) return { kind: 'git', url: path, keepGitDir, checksum };
    if (isUrl(path)) return { kind: 'url', url: path, checksum };
  } else {
    const remote = remoteKind(path);
    if (remote !== undefined) throw invalidHinted(`source can't be a ${remote} for COPY`, 'ADD takes it.');
  }
  return { kind: 'files', from: await findTree(from, path), pattern: path };
}

/** What a source is that only ADD can fetch. Short names of repositories are paths here. */
function remoteKind(path: string): 'git ref' | 'URL' | undefined {
  const isFarAway = /^(?:\w+:\/\/|[^/]+@)/.test(path);
  if (isFarAway && parseGitUrl(path) !== undefined) return 'git ref';
  return isUrl(path) ? 'URL' : undefined;
}

function isUrl(path: string): boolean {
  return /^https?:\/\//.test(path);
}

function checkChecksum(sources: readonly CopyInput[]): void {
  if (sources.length !== 1) throw invalid("checksum can't be specified for multiple sources");
  if (sources[0]?.kind === 'files' || sources[0]?.kind === 'inline')
    throw invalid('checksum requires HTTP(S) or Git sources');
}

/** Relative ones go on from WORKDIR; whether it ends with a slash matters. */
function destinationOf(path: string, { config }: StageState, sources: number): string {
  const isDirectory = /(^|\/)\.?\/?$/.test(path);
  const absolute = posix.resolve('/', config.WorkingDir ?? '/', path);
  if (sources > 1 && !isDirectory)
    throw invalid(
      'When using COPY with more than one source file, the destination must be a directory and end with a /',
    );
  return isDirectory && absolute !== '/' ? `${absolute}/` : absolute;
}

function historyText(instruction: CopyInstruction | AddInstruction): string {
  const { chown, chmod, link } = instruction;
  const words = [
    instruction.kind.toUpperCase(),
    ...(chown === undefined ? [] : [`--chown=${chown}`]),
    ...(chmod === undefined ? [] : [`--chmod=${chmod}`]),
    ...(link ? ['--link'] : []),
    ...instruction.sources.map((source) => (source.kind === 'path' ? source.path : `<<${source.name}`)),
    instruction.destination,
  ];
  return `${words.join(' ')} # buildkit`;
}
