import type { HealthConfig } from '#/wire/containers.ts';
import type { ContainerFlags } from './flags.ts';

const settings = ['interval', 'timeout', 'start-period', 'start-interval', 'retries'] as const;

/** What the health flags say; `undefined` leaves it to the image. Throws an Error in docker's words. */
export function parseHealth(flags: ContainerFlags): HealthConfig | undefined {
  const command = flags['health-cmd'];
  const any = command !== '' || settings.some((name) => flags[`health-${name}`] !== 0);
  if (flags['no-healthcheck']) {
    if (any) throw new Error('--no-healthcheck conflicts with --health-* options');
    return { Test: ['NONE'] };
  }
  if (!any) return undefined;
  for (const name of settings) {
    if (flags[`health-${name}`] < 0) throw new Error(`--health-${name} cannot be negative`);
  }
  const all = {
    Interval: flags['health-interval'],
    Timeout: flags['health-timeout'],
    StartPeriod: flags['health-start-period'],
    StartInterval: flags['health-start-interval'],
    Retries: flags['health-retries'],
  };
  return {
    ...(command !== '' && { Test: ['CMD-SHELL', command] }),
    ...Object.fromEntries(Object.entries(all).filter(([, value]) => value !== 0)),
  };
}
