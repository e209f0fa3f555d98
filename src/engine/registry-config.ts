import type { SystemInfo } from '#/wire/system.ts';

type RegistryConfig = SystemInfo['RegistryConfig'];
type IndexConfig = RegistryConfig['IndexConfigs'][string];

/** Addresses of the machine itself, which Docker never asks for TLS. */
const loopback: readonly string[] = ['::1/128', '127.0.0.0/8'];

/** What `docker info` shows of registries: one index for Docker Hub, one for each insecure host, and the insecure ranges. */
export function registryConfig({
  registryMirrors,
  insecureRegistries,
}: {
  registryMirrors: readonly string[];
  insecureRegistries: readonly string[];
}): RegistryConfig {
  const hosts = insecureRegistries.filter((text) => !text.includes('/'));
  const ranges = insecureRegistries.filter((text) => text.includes('/'));
  const insecure = hosts.map((host): [string, IndexConfig] => [
    host,
    { Mirrors: [], Name: host, Official: false, Secure: false },
  ]);
  const hub = { Mirrors: registryMirrors, Name: 'docker.io', Official: true, Secure: true };
  return {
    IndexConfigs: Object.fromEntries([...insecure, ['docker.io', hub]]),
    InsecureRegistryCIDRs: [...ranges, ...loopback.filter((range) => !ranges.includes(range))],
    Mirrors: registryMirrors.length === 0 ? null : registryMirrors,
  };
}
