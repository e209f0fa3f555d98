import type { ImageRuntimeConfig } from '#/oci/image-config.ts';
import { formatPlatform, hostPlatform } from '#/oci/platform.ts';
import { expandWord } from '../expand.ts';
import type { Dockerfile } from '../parse.ts';

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What is known of a stage while one reads it. */
export interface StageView {
  /** The variables that have a value. */
  readonly variables: Map<string, string>;
  /** The arguments that were declared, with or without a value. */
  readonly declared: Set<string>;
  /** The image that it stands on is known, so that there are no other variables. */
  readonly isComplete: boolean;
  hasShell: boolean;
  hasWorkdir: boolean;
}

/** A stage that begins with an image; undefined for one that nothing is known of. */
export function viewOfImage(config: ImageRuntimeConfig | undefined): StageView {
  const variables = new Map([['PATH', defaultPath]]);
  for (const entry of config?.Env ?? []) {
    const at = entry.indexOf('=');
    variables.set(at < 0 ? entry : entry.slice(0, at), at < 0 ? '' : entry.slice(at + 1));
  }
  return {
    variables,
    declared: new Set(),
    isComplete: config !== undefined,
    hasShell: (config?.Shell ?? []).length > 0,
    hasWorkdir: false,
  };
}

/** A stage that begins with another one. */
export function viewOfStage(base: StageView): StageView {
  return { ...base, variables: new Map(base.variables), declared: new Set(base.declared) };
}

/** The arguments that are there without an ARG in front of the first FROM. */
export function platformArguments(target: string): Map<string, string> {
  const { os, architecture, variant, osVersion } = hostPlatform();
  const text = formatPlatform(hostPlatform());
  const all = new Map<string, string>();
  for (const prefix of ['BUILD', 'TARGET']) {
    all.set(`${prefix}PLATFORM`, text).set(`${prefix}OS`, os).set(`${prefix}OSVERSION`, osVersion);
    all.set(`${prefix}ARCH`, architecture).set(`${prefix}VARIANT`, variant);
  }
  return all.set('TARGETSTAGE', target === '' ? 'default' : target);
}

/** The arguments for FROM: those that are always there, and the ARGs before the first FROM. */
export function globalArguments(
  { metaArgs, escape }: Dockerfile,
  platform: ReadonlyMap<string, string>,
  given: ReadonlyMap<string, string>,
): Map<string, string> {
  const globals = new Map(platform);
  for (const name of platform.keys()) {
    const value = given.get(name);
    if (value !== undefined) globals.set(name, value);
  }
  for (const { name, value } of metaArgs.flatMap(({ args }) => args)) {
    const found =
      given.get(name) ?? (value === undefined ? undefined : expandWord(value, globals, { escape }));
    if (found !== undefined) globals.set(name, found);
  }
  return globals;
}
