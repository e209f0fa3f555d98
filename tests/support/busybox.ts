import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Makes a small root file system in `dir` out of Debian's busybox-static, with a passwd and a group file. */
export function makeBusyboxRoot(dir: string): string {
  for (const name of ['bin', 'dev', 'proc', 'sys', 'etc', 'tmp', 'root', 'home/alice', 'usr/bin', 'sbin']) {
    mkdirSync(join(dir, name), { recursive: true });
  }
  copyFileSync('/bin/busybox', join(dir, 'bin/busybox'));
  const made = spawnSync('chroot', [dir, '/bin/busybox', '--install', '/bin'], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`busybox --install failed: ${made.stderr}`);
  writeFileSync(
    join(dir, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n',
  );
  writeFileSync(
    join(dir, 'etc/group'),
    'root:x:0:\nalice:x:1000:\nwheel:x:10:root,alice\naudio:x:29:alice\n',
  );
  return dir;
}
