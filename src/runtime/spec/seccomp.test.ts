import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EngineError } from '#/base/errors.ts';
import { loadDefaultProfile } from './default-seccomp.ts';
import { evaluateSeccomp, parseSeccompProfile, type SeccompSubject } from './seccomp.ts';

const subject: SeccompSubject = { capabilities: [], architecture: 'amd64', kernel: [6, 1] };

test('evaluateSeccomp: keeps the rules whose conditions hold', () => {
  const rule = (name: string, conditions: object): object => ({
    names: [name],
    action: 'SCMP_ACT_ALLOW',
    ...conditions,
  });
  const profile = parseSeccompProfile(
    JSON.stringify({
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 38,
      archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }],
      syscalls: [
        rule('always', { includes: {}, excludes: null, args: null }),
        rule('with-cap', { includes: { caps: ['CAP_SYS_ADMIN'] } }),
        rule('without-cap', { excludes: { caps: ['CAP_SYS_ADMIN'] } }),
        rule('on-arm', { includes: { arches: ['arm64'] } }),
        rule('not-on-amd', { excludes: { arches: ['amd64'] } }),
        rule('new-kernel', { includes: { minKernel: '6.2' } }),
        rule('old-kernel', { includes: { minKernel: '4.8' } }),
        { name: 'old-style', action: 'SCMP_ACT_ALLOW' },
      ],
    }),
  );
  const names = (who: SeccompSubject): string[] =>
    evaluateSeccomp(profile, who).syscalls.flatMap((entry) => entry.names);
  assert.deepEqual(names(subject), ['always', 'without-cap', 'old-kernel', 'old-style']);
  assert.deepEqual(names({ ...subject, capabilities: ['CAP_SYS_ADMIN'], kernel: [7, 0] }), [
    'always',
    'with-cap',
    'new-kernel',
    'old-kernel',
    'old-style',
  ]);
  const evaluated = evaluateSeccomp(profile, subject);
  assert.deepEqual(evaluated.architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86']);
  assert.equal(evaluated.defaultErrnoRet, 38);
});

test('parseSeccompProfile: any JSON is a profile or invalid', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      try {
        parseSeccompProfile(text);
      } catch (error) {
        assert.ok(error instanceof EngineError && error.kind === 'invalid');
      }
    }),
  );
});

test('parseSeccompProfile: names what is wrong', () => {
  assert.throws(() => parseSeccompProfile('{'), /Decoding seccomp profile failed/);
  assert.throws(() => parseSeccompProfile('{}'), /"defaultAction" is not a string/);
  assert.throws(
    () => parseSeccompProfile('{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"action":"x"}]}'),
    /names no system call/,
  );
  assert.throws(() => parseSeccompProfile(' '.repeat(2 << 20)), /larger than 1 MiB/);
});

test('loadDefaultProfile: gives dangerous calls only with their capability, others never', () => {
  const profile = loadDefaultProfile('/usr/share/containers/seccomp.json');
  assert.ok(profile !== undefined);
  const allowed = (capabilities: readonly string[]): Set<string> => {
    const rules = evaluateSeccomp(profile, { ...subject, capabilities }).syscalls;
    const plain = rules.filter(({ action, args = [] }) => action === 'SCMP_ACT_ALLOW' && args.length === 0);
    return new Set(plain.flatMap((rule) => rule.names));
  };
  const plain = allowed([]);
  assert.ok(plain.size > 300 && plain.has('read') && plain.has('execve'));
  const gated = ['mount', 'unshare', 'setns', 'clone3', 'bpf', 'perf_event_open', 'move_mount', 'fsopen'];
  const never = ['io_uring_setup', 'keyctl', 'pivot_root', 'kexec_load', 'userfaultfd', 'socket'];
  for (const name of [...gated, ...never, 'reboot', 'syslog', 'clone']) assert.ok(!plain.has(name), name);
  const admin = allowed(['CAP_SYS_ADMIN']);
  for (const name of gated) assert.ok(admin.has(name), name);
  for (const name of never) assert.ok(!admin.has(name), name);
  assert.ok(allowed(['CAP_SYS_BOOT']).has('reboot'));
});

test('loadDefaultProfile: a missing file is no profile', () => {
  assert.equal(loadDefaultProfile('/nonexistent/seccomp.json'), undefined);
});
