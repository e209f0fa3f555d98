import { execFileSync, spawnSync } from 'node:child_process';

/** Why tests with keys of OpenSSH cannot run on this machine; false if they can. */
export const noSshKeygen: string | false =
  spawnSync('ssh-keygen', ['-?']).error === undefined
    ? false
    : 'ssh-keygen is not installed (openssh-client)';

/** Makes a private key at `path`, and `path.pub`; the further arguments are ssh-keygen's. */
export function sshKey(path: string, ...args: readonly string[]): string {
  execFileSync('ssh-keygen', ['-q', '-N', '', '-f', path, '-C', 'who@where', ...args]);
  return path;
}
