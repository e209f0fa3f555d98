import { internal, invalid, messageOf } from '#/base/errors.ts';
import type { SeccompInput } from '#/runtime/spec/input.ts';
import { parseSeccompProfile } from '#/runtime/spec/seccomp.ts';

/** What `SecurityOpt` asks for. */
export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  /** `default` (the daemon's), `builtin`, `unconfined` or the text of a profile. */
  readonly seccomp: string;
  /** Asked for by `systempaths=unconfined`: nothing masked or read-only. */
  readonly unconfinedPaths: boolean;
  /** The container may make control groups below its own; undefined: only if it is privileged. */
  readonly writableCgroups: boolean | undefined;
}

/**
 * Reads `SecurityOpt` entries: `no-new-privileges[=bool]`, `seccomp=unconfined|builtin|{profile}`, `apparmor=…` and
 * `label=…` (accepted where they ask for nothing: Skiff uses neither), `systempaths=unconfined`, `writable-cgroups[=true|false]`. Older clients separate by `:`.
 */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  let result: SecurityOptions = {
    noNewPrivileges: false,
    seccomp: 'default',
    unconfinedPaths: false,
    writableCgroups: undefined,
  };
  for (const option of options) {
    if (option === 'no-new-privileges') {
      result = { ...result, noNewPrivileges: true };
      continue;
    }
    if (option === 'writable-cgroups') {
      result = { ...result, writableCgroups: true };
      continue;
    }
    if (option === 'disable') continue;
    const match = /^([a-z-]+)[=:](.*)$/s.exec(option);
    if (match === null) throw internal(`invalid --security-opt 1: "${option}"`);
    const [, key = '', value = ''] = match;
    if (key === 'no-new-privileges') result = { ...result, noNewPrivileges: parseBool(option, value) };
    else if (key === 'writable-cgroups' && (value === 'true' || value === 'false'))
      result = { ...result, writableCgroups: value === 'true' };
    else if (key === 'seccomp') result = { ...result, seccomp: value };
    else if (key === 'systempaths' && value === 'unconfined') result = { ...result, unconfinedPaths: true };
    else if (key === 'apparmor' || key === 'label') refuseLabels(key, value);
    else throw internal(`invalid --security-opt 2: "${option}"`);
  }
  return result;
}

/** The system call filter that the options name; a profile is parsed here, when the container starts. */
export function seccompInput({ seccomp }: SecurityOptions): SeccompInput {
  if (seccomp === 'default' || seccomp === 'builtin') return { kind: seccomp };
  if (seccomp === 'unconfined') return { kind: 'unconfined' };
  try {
    return { kind: 'profile', profile: parseSeccompProfile(seccomp) };
  } catch (error) {
    throw internal(`Decoding seccomp profile failed: ${messageOf(error)}`, error);
  }
}

function refuseLabels(key: string, value: string): void {
  const harmless = key === 'label' ? value === 'disable' : value === 'unconfined' || value === '';
  if (!harmless)
    throw invalid(
      `--security-opt ${key}=${value} is not supported: Skiff does not use ${key === 'label' ? 'SELinux' : 'AppArmor'}`,
    );
}

function parseBool(option: string, value: string): boolean {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
  throw internal(`invalid --security-opt 2: "${option}"`);
}
