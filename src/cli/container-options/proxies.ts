import type { ProxySettings } from '../config.ts';

/** The variables for the proxies that the configuration has for a daemon, in both spellings. */
export function proxyVariables(
  proxies: ProxySettings,
  daemon: string,
): (readonly [name: string, value: string])[] {
  const settings = proxies[daemon] ?? proxies['default'] ?? {};
  return ['http', 'https', 'no', 'ftp', 'all'].flatMap((name) => {
    const value = settings[`${name}Proxy`];
    const variable = `${name}_proxy`;
    return value ? [[variable.toUpperCase(), value] as const, [variable, value] as const] : [];
  });
}
