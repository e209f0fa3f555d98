import { readFileSync } from 'node:fs';
import { messageOf } from '#/base/errors.ts';
import { goMessage } from '../system-errors.ts';

/** What the `--security-opt` flags say. `null` paths ask for the daemon's own. */
export interface SecurityOptions {
  readonly options: readonly string[] | null;
  readonly maskedPaths: readonly string[] | null;
  readonly readonlyPaths: readonly string[] | null;
}

/**
 * Parses `--security-opt`. A seccomp profile is read here and sent as its content; `systempaths=unconfined` is ours to
 * carry out. Throws an Error in docker's words.
 */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  const unconfined = options.includes('systempaths=unconfined');
  const sent = options.filter((option) => option !== 'systempaths=unconfined').map(checkOption);
  return {
    options: options.length === 0 ? null : sent,
    maskedPaths: unconfined ? [] : null,
    readonlyPaths: unconfined ? [] : null,
  };
}

function checkOption(option: string): string {
  const at = option.includes('=') ? option.indexOf('=') : option.indexOf(':');
  const name = at < 0 ? option : option.slice(0, at);
  const value = at < 0 ? '' : option.slice(at + 1);
  if (value === '' && name !== 'no-new-privileges') {
    throw new Error(`Invalid --security-opt: ${JSON.stringify(option)}`);
  }
  if (name !== 'seccomp' || value === 'unconfined' || value === 'builtin') return option;
  return `seccomp=${seccompProfile(value)}`;
}

function seccompProfile(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`opening seccomp profile (${path}) failed: ${goMessage(error)}`, { cause: error });
  }
  try {
    return JSON.stringify(JSON.parse(text));
  } catch (error) {
    throw new Error(`compacting json for seccomp profile (${path}) failed: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
