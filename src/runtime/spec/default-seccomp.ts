import { readFileSync } from 'node:fs';
import { isSystemError } from '#/base/errors.ts';
import type { OciSyscallArg } from '#/oci/runtime-spec.ts';
import {
  parseSeccompProfile,
  type SeccompCondition,
  type SeccompProfile,
  type SeccompRule,
} from './seccomp.ts';

/**
 * System calls that the packaged profile gives to every container (it is made for an engine that lets containers nest)
 * but that Docker gives only with a capability. Elsewhere they fail with EPERM.
 */
const gates: readonly { readonly capability: string; readonly syscalls: readonly string[] }[] = [
  {
    capability: 'CAP_SYS_ADMIN',
    syscalls: [
      'fsconfig',
      'fsmount',
      'fsopen',
      'fspick',
      'mount',
      'mount_setattr',
      'move_mount',
      'open_tree',
      'setns',
      'umount',
      'umount2',
      'unshare',
    ],
  },
  { capability: 'CAP_SYS_BOOT', syscalls: ['reboot'] },
  { capability: 'CAP_SYS_NICE', syscalls: ['get_mempolicy', 'mbind', 'set_mempolicy'] },
  { capability: 'CAP_SYS_PTRACE', syscalls: ['pidfd_getfd'] },
  { capability: 'CAP_SYSLOG', syscalls: ['syslog'] },
];

/** Never by default: the kernel's keyrings know no containers; io_uring goes around this filter. */
const denied: readonly string[] = [
  'keyctl',
  'pivot_root',
  'io_uring_setup',
  'io_uring_enter',
  'io_uring_register',
];

/** CLONE_NEW* of linux/sched.h except CLONE_NEWTIME, which shares its bit with the exit signal: NS, CGROUP, UTS, IPC, USER, PID, NET. */
const namespaceFlags = [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000];
const newNamespaceFlags = 0x7e020000;

const EPERM = 1;
const EINVAL = 22;
const ENOSYS = 38;

/** Address families (linux/socket.h) up to AF_MCTP, the last one so far. */
const families: readonly number[] = Array.from({ length: 46 }, (_value, family) => family);
const AF_NETLINK = 16;
/** The kernel's crypto API, source of page cache corruption (CVE-2026-31431). */
const AF_ALG = 38;
/** Reaches the hypervisor and past network namespaces. */
const AF_VSOCK = 40;
const NETLINK_AUDIT = 9;

const always: SeccompCondition = { caps: [], arches: [] };

/** Reads the packaged profile at `path` and tightens it; undefined if the file is missing. */
export function loadDefaultProfile(path: string): SeccompProfile | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
  return hardened(parseSeccompProfile(text));
}

/**
 * The packaged profile, brought to what Docker's default allows or less: some calls only with capabilities, no new
 * namespaces through clone, no io_uring, no keyctl, no AF_ALG and AF_VSOCK sockets. (socketcall of 32-bit programs
 * stays: its arguments are behind a pointer, which no filter sees, and without it 32-bit images have no network.)
 */
function hardened(profile: SeccompProfile): SeccompProfile {
  const special = new Set([
    'clone',
    'clone3',
    'socket',
    ...denied,
    ...gates.flatMap((gate) => gate.syscalls),
  ]);
  const kept = profile.syscalls.flatMap((rule): SeccompRule[] => {
    const names = rule.names.filter((name) => !special.has(name));
    return names.length === 0 ? [] : [{ ...rule, names }];
  });
  return {
    ...profile,
    syscalls: [...kept, ...gates.flatMap(gateRules), ...cloneRules(), ...socketRules(), errno(denied, EPERM)],
  };
}

function gateRules({ capability, syscalls }: (typeof gates)[number]): SeccompRule[] {
  return [
    { ...allow(syscalls), includes: { ...always, caps: [capability] } },
    { ...errno(syscalls, EPERM), excludes: { ...always, caps: [capability] } },
  ];
}

function cloneRules(): SeccompRule[] {
  const admin: SeccompCondition = { ...always, caps: ['CAP_SYS_ADMIN'] };
  const s390 = ['s390', 's390x'];
  return [
    { ...allow(['clone', 'clone3']), includes: admin },
    // The flags are the first argument, on s390 the second.
    { ...allow(['clone'], [noBits(0, newNamespaceFlags)]), excludes: { ...admin, arches: s390 } },
    {
      ...allow(['clone'], [noBits(1, newNamespaceFlags)]),
      includes: { ...always, arches: s390 },
      excludes: admin,
    },
    // What the packaged profile does not name fails with ENOSYS; of this, programs know that it exists.
    ...namespaceFlags.map(
      (flag): SeccompRule => ({
        ...errno(['clone'], EPERM),
        args: [{ index: 0, value: flag, valueTwo: flag, op: 'SCMP_CMP_MASKED_EQ' }],
        excludes: { ...admin, arches: s390 },
      }),
    ),
    // Its flags are behind a pointer. With ENOSYS C libraries fall back to clone.
    { ...errno(['clone3'], ENOSYS), excludes: admin },
  ];
}

function socketRules(): SeccompRule[] {
  const audit: SeccompCondition = { ...always, caps: ['CAP_AUDIT_WRITE'] };
  const forbidden = [AF_ALG, AF_VSOCK];
  return [
    ...families
      .filter((family) => family !== AF_NETLINK && !forbidden.includes(family))
      .map((family) => allow(['socket'], [isInt(0, family)])),
    ...forbidden.map((family) => ({ ...errno(['socket'], EPERM), args: [isInt(0, family)] })),
    { ...allow(['socket'], [isInt(0, AF_NETLINK)]), includes: audit },
    {
      ...allow(['socket'], [isInt(0, AF_NETLINK), { index: 2, value: NETLINK_AUDIT, op: 'SCMP_CMP_NE' }]),
      excludes: audit,
    },
    {
      ...errno(['socket'], EINVAL),
      args: [isInt(0, AF_NETLINK), { index: 2, value: NETLINK_AUDIT, op: 'SCMP_CMP_EQ' }],
      excludes: audit,
    },
  ];
}

function allow(names: readonly string[], args: readonly OciSyscallArg[] = []): SeccompRule {
  return { names, action: 'SCMP_ACT_ALLOW', args, includes: always, excludes: always };
}

function errno(names: readonly string[], errnoRet: number): SeccompRule {
  return { names, action: 'SCMP_ACT_ERRNO', errnoRet, args: [], includes: always, excludes: always };
}

/** The argument taken as the kernel takes an int: its upper 32 bits do not count, so that they cannot hide a value. */
function isInt(index: number, value: number): OciSyscallArg {
  return { index, value: 0xffffffff, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' };
}

function noBits(index: number, mask: number): OciSyscallArg {
  return { index, value: mask, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' };
}
