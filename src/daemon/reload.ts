import type { Config } from './options.ts';

type Reloadable =
  | 'labels'
  | 'debug'
  | 'logLevel'
  | 'registryMirrors'
  | 'insecureRegistries'
  | 'maxConcurrentDownloads'
  | 'maxConcurrentUploads'
  | 'maxDownloadAttempts';

/** What the event of a reload tells, in dockerd's form: lists as JSON, everything else as text. */
export function reloadAttributes(config: Config): Record<string, string> {
  return {
    debug: String(config.debug),
    labels: JSON.stringify(config.labels),
    'insecure-registries': JSON.stringify(config.insecureRegistries),
    'max-concurrent-downloads': String(config.maxConcurrentDownloads),
    'max-concurrent-uploads': String(config.maxConcurrentUploads),
    'max-download-attempts': String(config.maxDownloadAttempts),
    'registry-mirrors': JSON.stringify(config.registryMirrors),
  };
}

/** The settings that are taken over while the daemon runs; dockerd reloads them, too. */
export function reloadable(config: Config): Pick<Config, Reloadable> {
  const { labels, debug, logLevel, registryMirrors, insecureRegistries } = config;
  const { maxConcurrentDownloads, maxConcurrentUploads, maxDownloadAttempts } = config;
  return {
    labels,
    debug,
    logLevel,
    registryMirrors,
    insecureRegistries,
    maxConcurrentDownloads,
    maxConcurrentUploads,
    maxDownloadAttempts,
  };
}
