import { invalid, messageOf } from '#/base/errors.ts';
import type { OciSeccomp, OciSyscallArg, OciSyscallRule } from '#/oci/runtime-spec.ts';

/** When a rule counts: with all of `capabilities` held, on one of `architectures`, from `minKernel` on. */
export interface SeccompCondition {
  readonly caps: readonly string[];
  /** Go names: amd64, arm64. */
  readonly arches: readonly string[];
  /** Major and minor version. */
  readonly minKernel?: readonly [number, number];
}

/** A rule of a profile, before it is known for which container. */
export interface SeccompRule extends OciSyscallRule {
  /** All of these must hold. */
  readonly includes: SeccompCondition;
  /** None of these may hold. */
  readonly excludes: SeccompCondition;
}

/** A profile as Docker and containers-common write it. */
export interface SeccompProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  /** What to filter on each native architecture. Empty if the profile names `architectures` itself. */
  readonly archMap: readonly {
    readonly architecture: string;
    readonly subArchitectures: readonly string[];
  }[];
  readonly architectures: readonly string[];
  readonly flags: readonly string[];
  readonly syscalls: readonly SeccompRule[];
}

/** For whom a profile is evaluated. */
export interface SeccompSubject {
  /** The container's bounding set. */
  readonly capabilities: readonly string[];
  /** Go name. */
  readonly architecture: string;
  readonly kernel: readonly [number, number];
}

/** Profiles come in requests: far above any real one (Docker's has 20 kB). */
const maxProfileBytes = 1 << 20;

/** libseccomp's names of the native architectures. */
const seccompArchitectures: Readonly<Record<string, string>> = {
  amd64: 'SCMP_ARCH_X86_64',
  '386': 'SCMP_ARCH_X86',
  arm64: 'SCMP_ARCH_AARCH64',
  arm: 'SCMP_ARCH_ARM',
  riscv64: 'SCMP_ARCH_RISCV64',
  ppc64le: 'SCMP_ARCH_PPC64LE',
  s390x: 'SCMP_ARCH_S390X',
  loong64: 'SCMP_ARCH_LOONGARCH64',
  mips64le: 'SCMP_ARCH_MIPSEL64',
};

/** Parses a profile in Docker's format, as `--security-opt seccomp=` sends it. Throws `invalid`. */
export function parseSeccompProfile(text: string): SeccompProfile {
  if (Buffer.byteLength(text) > maxProfileBytes) throw invalid('seccomp profile is larger than 1 MiB');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw invalid(`Decoding seccomp profile failed: ${messageOf(error)}`, error);
  }
  const profile = object(json, 'profile');
  const defaultErrnoRet = optionalNumber(profile['defaultErrnoRet'], 'defaultErrnoRet');
  return {
    defaultAction: string(profile['defaultAction'], 'defaultAction'),
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    archMap: array(profile['archMap'], 'archMap').map((entry) => {
      const { architecture, subArchitectures } = object(entry, 'archMap');
      return {
        architecture: string(architecture, 'architecture'),
        subArchitectures: strings(subArchitectures, 'subArchitectures'),
      };
    }),
    architectures: strings(profile['architectures'], 'architectures'),
    flags: strings(profile['flags'], 'flags'),
    syscalls: array(profile['syscalls'], 'syscalls').map(parseRule),
  };
}

function parseRule(value: unknown): SeccompRule {
  const rule = object(value, 'syscalls');
  const names = [...strings(rule['names'], 'names')];
  if (rule['name'] !== undefined) names.push(string(rule['name'], 'name'));
  if (names.length === 0) throw invalid('seccomp profile: a rule of "syscalls" names no system call');
  const errnoRet = optionalNumber(rule['errnoRet'], 'errnoRet');
  return {
    names,
    action: string(rule['action'], 'action'),
    ...(errnoRet === undefined ? {} : { errnoRet }),
    args: array(rule['args'], 'args').map(parseArg),
    includes: parseCondition(rule['includes'], 'includes'),
    excludes: parseCondition(rule['excludes'], 'excludes'),
  };
}

function parseArg(value: unknown): OciSyscallArg {
  const arg = object(value, 'args');
  return {
    index: number(arg['index'], 'index'),
    value: number(arg['value'], 'value'),
    valueTwo: optionalNumber(arg['valueTwo'], 'valueTwo') ?? 0,
    op: string(arg['op'], 'op'),
  };
}

function parseCondition(value: unknown, key: string): SeccompCondition {
  if (value === undefined || value === null) return { caps: [], arches: [] };
  const condition = object(value, key);
  const minKernel = condition['minKernel'];
  return {
    caps: strings(condition['caps'], 'caps'),
    arches: strings(condition['arches'], 'arches'),
    ...(minKernel === undefined || minKernel === null || minKernel === ''
      ? {}
      : { minKernel: parseKernel(minKernel) }),
  };
}

function parseKernel(value: unknown): readonly [number, number] {
  const match = /^(\d{1,4})\.(\d{1,4})$/.exec(string(value, 'minKernel'));
  if (match === null) throw invalid(`seccomp profile: "minKernel" is not like 4.8: "${String(value)}"`);
  return [Number(match[1]), Number(match[2])];
}

/** What the runtime is to filter for `subject`. */
export function evaluateSeccomp(profile: SeccompProfile, subject: SeccompSubject): OciSeccomp {
  const { defaultAction, defaultErrnoRet, flags } = profile;
  return {
    defaultAction,
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    architectures: architecturesOf(profile, subject.architecture),
    ...(flags.length === 0 ? {} : { flags }),
    syscalls: profile.syscalls
      .filter((rule) => included(rule.includes, subject) && !excluded(rule.excludes, subject))
      .map(({ names, action, errnoRet, args = [] }) => ({
        names,
        action,
        ...(errnoRet === undefined ? {} : { errnoRet }),
        ...(args.length === 0 ? {} : { args }),
      })),
  };
}

function architecturesOf(profile: SeccompProfile, architecture: string): readonly string[] {
  if (profile.architectures.length > 0) return profile.architectures;
  const native = seccompArchitectures[architecture];
  const entry = profile.archMap.find((candidate) => candidate.architecture === native);
  return entry === undefined ? [] : [entry.architecture, ...entry.subArchitectures];
}

function included(condition: SeccompCondition, subject: SeccompSubject): boolean {
  const { caps, arches, minKernel } = condition;
  if (arches.length > 0 && !arches.includes(subject.architecture)) return false;
  if (minKernel !== undefined && !atLeast(subject.kernel, minKernel)) return false;
  return caps.every((name) => subject.capabilities.includes(name));
}

function excluded(condition: SeccompCondition, subject: SeccompSubject): boolean {
  const { caps, arches, minKernel } = condition;
  if (arches.includes(subject.architecture)) return true;
  if (minKernel !== undefined && atLeast(subject.kernel, minKernel)) return true;
  return caps.some((name) => subject.capabilities.includes(name));
}

function atLeast(kernel: readonly [number, number], minimum: readonly [number, number]): boolean {
  return kernel[0] > minimum[0] || (kernel[0] === minimum[0] && kernel[1] >= minimum[1]);
}

function wrong(key: string, wanted: string): Error {
  return invalid(`seccomp profile: "${key}" is not ${wanted}`);
}

function object(value: unknown, key: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(key, 'an object');
  return value as Readonly<Record<string, unknown>>;
}

function array(value: unknown, key: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw wrong(key, 'a list');
  return value;
}

function strings(value: unknown, key: string): readonly string[] {
  return array(value, key).map((entry) => string(entry, key));
}

function string(value: unknown, key: string): string {
  if (typeof value !== 'string' || value === '') throw wrong(key, 'a string');
  return value;
}

function number(value: unknown, key: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw wrong(key, 'a whole number');
  return value;
}

function optionalNumber(value: unknown, key: string): number | undefined {
  return value === undefined || value === null ? undefined : number(value, key);
}
