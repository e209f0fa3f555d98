import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isSystemError } from '#/base/errors.ts';
import { hostsFile } from '#/network/hosts-file.ts';
import { resolvConf } from '#/network/resolv-conf.ts';
import type { MountInput } from '#/runtime/spec/input.ts';
import type { ExtraHost } from '../../request.ts';
import type { StepDefaults } from '../step-parts.ts';
import type { StepNetwork } from './network-pool.ts';

/** What steps have for a name; BuildKit's. */
export const stepHostname = 'buildkitsandbox';

/** Writes hosts and resolv.conf of a step into its folder and says where they are mounted: nothing of them gets into layers. */
export function nameFiles(
  folder: string,
  network: StepNetwork,
  { dns, extraHosts }: { dns: StepDefaults['dns']; extraHosts: readonly ExtraHost[] },
): MountInput[] {
  const hosts = hostsFile({
    hostname: stepHostname,
    domainname: '',
    addresses: ['127.0.0.1'],
    extraHosts: extraHosts.map(({ name, address }) => `${name}=${address}`),
    ...(network.gateway !== undefined && { gateway: network.gateway }),
  });
  const resolv = resolvConf({
    host: textOf('/etc/resolv.conf'),
    dns: dns.servers,
    search: dns.search,
    options: dns.options,
    hostNetwork: network.namespace === 'host',
  });
  return [bindOf(folder, 'hosts', hosts), bindOf(folder, 'resolv.conf', resolv)];
}

function bindOf(folder: string, name: string, text: string): MountInput {
  const source = join(folder, name);
  writeFileSync(source, text, { mode: 0o644 });
  return { kind: 'bind', source, target: `/etc/${name}`, readonly: 'yes' };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return '';
    throw error;
  }
}
