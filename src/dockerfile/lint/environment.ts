import type { ImageRuntimeConfig } from '#/oci/image-config.ts';

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
