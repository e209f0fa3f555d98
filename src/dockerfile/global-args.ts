import { EngineError } from '#/base/errors.ts';
import { formatPlatform, type Platform } from '#/oci/platform.ts';
import { placed } from './errors.ts';
import { expandWord } from './expand.ts';
import type { ArgInstruction } from './instruction.ts';
import type { Dockerfile } from './parse.ts';

/** What a build is for. */
export interface BuildTarget {
  readonly platform: Platform;
  /** Where the builder runs. */
  readonly host: Platform;
  /** The stage that was asked for; undefined or empty is the last one. */
  readonly stage?: string | undefined;
}

/** The arguments that are always there, such as TARGETPLATFORM: what is built for what. */
export function platformArgs({ stages }: Dockerfile, target: BuildTarget): Map<string, string> {
  const describe = (prefix: string, platform: Platform): [string, string][] => [
    [`${prefix}PLATFORM`, formatPlatform(platform)],
    [`${prefix}OS`, platform.os],
    [`${prefix}OSVERSION`, platform.osVersion],
    [`${prefix}ARCH`, platform.architecture],
    [`${prefix}VARIANT`, platform.variant],
  ];
  const stage = target.stage || stages.at(-1)?.name || 'default';
  return new Map([
    ...describe('BUILD', target.host),
    ...describe('TARGET', target.platform),
    ['TARGETSTAGE', stage],
  ]);
}

/**
 * The arguments that FROMs can use: those that are always there, and the ARGs before the first FROM. A build argument (`given`)
 * counts more than both. Throws a `DockerfileError` for a default that cannot be expanded.
 */
export function globalArgs(
  file: Dockerfile,
  builtIn: ReadonlyMap<string, string>,
  given: ReadonlyMap<string, string>,
): Map<string, string> {
  const values = new Map(builtIn);
  for (const name of builtIn.keys()) {
    const value = given.get(name);
    if (value !== undefined) values.set(name, value);
  }
  for (const instruction of file.metaArgs) declare(instruction, { file, values, given });
  return values;
}

function declare(
  { args, range }: ArgInstruction,
  {
    file: { escape, source },
    values,
    given,
  }: { file: Dockerfile; values: Map<string, string>; given: ReadonlyMap<string, string> },
): void {
  for (const { name, value } of args) {
    try {
      const found =
        given.get(name) ?? (value === undefined ? undefined : expandWord(value, values, { escape }));
      if (found !== undefined) values.set(name, found);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      throw placed(error, { source, range });
    }
  }
}
