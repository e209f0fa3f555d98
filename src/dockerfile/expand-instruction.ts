import { invalid, isKind } from '#/base/errors.ts';
import { hintOf, invalidHinted } from './errors.ts';
import { type ExpandOptions, expandHeredoc, expandWord, expandWords, type Variables } from './expand.ts';
import type { CopySource, RunInstruction, StageInstruction } from './instruction.ts';
import { type Mount, readMount } from './mount.ts';

/**
 * The instruction with the variables in it replaced, where Docker does that: in ADD, COPY (and their here-documents), ENV, EXPOSE,
 * LABEL, STOPSIGNAL, USER, VOLUME and WORKDIR. All others come back as they are; what is in RUN, CMD and ENTRYPOINT is a matter
 * of shells, the default of an ARG counts only if no value was given. `variables` are those before the instruction.
 */
export function expandInstruction<T extends StageInstruction>(
  instruction: T,
  variables: Variables,
  options?: ExpandOptions,
): T;
export function expandInstruction(
  instruction: StageInstruction,
  variables: Variables,
  options: ExpandOptions = {},
): StageInstruction {
  const expand = (word: string): string => expandWord(word, variables, options);
  const maybe = (word: string | undefined): string | undefined =>
    word === undefined ? undefined : expand(word);
  switch (instruction.kind) {
    case 'env':
    case 'label': {
      const pairs = instruction.pairs.map(({ name, value, isLegacy }) => ({
        name: expand(name),
        value: expand(value),
        isLegacy,
      }));
      return { ...instruction, pairs };
    }
    case 'copy':
    case 'add': {
      const shared = {
        chown: maybe(instruction.chown),
        chmod: maybe(instruction.chmod),
        sources: instruction.sources.map((source) => expandSource(source, variables, options)),
        destination: expand(instruction.destination),
      };
      if (instruction.kind === 'copy') return { ...instruction, ...shared };
      return { ...instruction, ...shared, checksum: maybe(instruction.checksum) };
    }
    case 'user':
    case 'workdir':
    case 'stopsignal':
      return { ...instruction, value: expand(instruction.value) };
    case 'volume': {
      const paths = instruction.paths.map(expand);
      if (paths.includes('')) throw invalid('VOLUME specified can not be an empty string');
      return { ...instruction, paths };
    }
    case 'expose':
      return {
        ...instruction,
        ports: instruction.ports.flatMap((word) => expandWords(word, variables, options)),
      };
    case 'run':
    case 'cmd':
    case 'entrypoint':
    case 'shell':
    case 'arg':
    case 'healthcheck':
    case 'onbuild':
    case 'maintainer':
      return instruction;
  }
}

const mountUsage =
  'Usage: --mount=type=bind|cache|tmpfs|secret|ssh,target=PATH and, by type: bind from= source= rw; cache id= from= source= sharing=shared|private|locked mode= uid= gid= ro; tmpfs size=; secret id= env= required mode= uid= gid=; ssh id= required mode= uid= gid=';

/** The mounts of a RUN, with the variables in their options replaced. */
export function readMounts(
  { mounts }: RunInstruction,
  variables: Variables,
  options: ExpandOptions = {},
): readonly Mount[] {
  return mounts.map((text) => {
    try {
      return readMount(text, (value) => expandWord(value, variables, options));
    } catch (error) {
      if (!isKind(error, 'invalid') || hintOf(error) !== undefined) throw error;
      throw invalidHinted(error.message, mountUsage, error);
    }
  });
}

function expandSource(source: CopySource, variables: Variables, options: ExpandOptions): CopySource {
  if (source.kind === 'path') return { ...source, path: expandWord(source.path, variables, options) };
  return source.expands ? { ...source, content: expandHeredoc(source.content, variables, options) } : source;
}
