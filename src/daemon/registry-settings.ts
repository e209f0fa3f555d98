import { skiffVersion } from '#/base/version.ts';
import type { Proxies } from '#/distribution/proxies.ts';
import type { RegistryClientOptions } from '#/distribution/registry-client.ts';
import type { RegistryConfig } from './registry-options.ts';
import { maskedUrl } from './registry-values.ts';

/** The proxies for requests to registries: configured ones, or else those of the environment in either case of letters. */
export function proxiesOf(config: RegistryConfig, env: NodeJS.ProcessEnv = process.env): Proxies {
  const either = (configured: string, name: string): string =>
    configured !== '' ? configured : (env[name] ?? env[name.toLowerCase()] ?? '');
  return {
    http: either(config.httpProxy, 'HTTP_PROXY'),
    https: either(config.httpsProxy, 'HTTPS_PROXY'),
    no: either(config.noProxy, 'NO_PROXY'),
  };
}

/** The same for people to see: without what could be a password. */
export function shownProxies(config: RegistryConfig): Proxies {
  const { http, https, no } = proxiesOf(config);
  return { http: maskedUrl(http), https: maskedUrl(https), no };
}

/** How registries are spoken to. */
export function clientOptions(config: RegistryConfig): RegistryClientOptions {
  return {
    hosts: {
      mirrors: config.registryMirrors,
      routes: config.registries,
      insecure: config.insecureRegistries,
      certificateDirectories: config.certificateDirectories,
    },
    userAgent: `skiff/${skiffVersion}`,
    proxies: proxiesOf(config),
    maxAttempts: Math.max(1, config.maxDownloadAttempts),
  };
}
