import type { RegistryConfig } from './registry-options.ts';
import { maskedUrl } from './registry-values.ts';

/** How the world outside is reached; an empty text means directly. */
interface Proxies {
  readonly http: string;
  readonly https: string;
  readonly no: string;
}

/** The proxies for requests to registries: configured ones, or else those of the environment in either case of letters. */
function proxiesOf(config: RegistryConfig, env: NodeJS.ProcessEnv = process.env): Proxies {
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
