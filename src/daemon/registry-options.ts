import type { Option } from './option.ts';
import {
  count,
  directory,
  insecureRegistry,
  mirror,
  proxy,
  type RegistryRoutes,
  registryRoutes,
} from './registry-values.ts';
import { listOf, text } from './values.ts';

/** What can be set about registries and the way to them. */
export interface RegistryConfig {
  /** URLs of mirrors of Docker Hub, with a slash at the end. */
  readonly registryMirrors: readonly string[];
  /** Hosts and CIDRs that may be spoken to without TLS, or with a certificate that nobody vouches for. */
  readonly insecureRegistries: readonly string[];
  readonly registries: RegistryRoutes;
  /** Folders like Docker's `certs.d`: the first that has one for a host counts. Absolute paths. */
  readonly certificateDirectories: readonly string[];
  /** Layers downloaded at once by all pulls together; 0 is no limit. */
  readonly maxConcurrentDownloads: number;
  /** Layers uploaded at once by one push; 0 is no limit. */
  readonly maxConcurrentUploads: number;
  readonly maxDownloadAttempts: number;
  /** "" leaves it to the environment variable HTTP_PROXY. */
  readonly httpProxy: string;
  readonly httpsProxy: string;
  readonly noProxy: string;
}

/** Their options. */
export const registryOptions: { readonly [F in keyof RegistryConfig]: Option<RegistryConfig[F]> } = {
  registryMirrors: {
    flag: 'registry-mirror',
    key: 'registry-mirrors',
    kind: listOf(mirror),
    default: [],
    help: 'URL of a mirror of Docker Hub',
  },
  insecureRegistries: {
    flag: 'insecure-registry',
    key: 'insecure-registries',
    kind: listOf(insecureRegistry),
    default: [],
    help: 'Registry (HOST, HOST:PORT or CIDR) to speak to without TLS',
  },
  registries: {
    flag: undefined,
    key: 'registries',
    kind: registryRoutes,
    default: {},
    help: 'Mirrors and rewritten names of any registry',
  },
  certificateDirectories: {
    flag: 'registry-certs',
    key: 'registry-certs',
    kind: listOf(directory),
    default: ['/etc/skiff/certs.d', '/etc/docker/certs.d'],
    help: 'Directory with a folder of certificates for each registry',
  },
  maxConcurrentDownloads: {
    flag: 'max-concurrent-downloads',
    kind: count('max concurrent downloads'),
    default: 3,
    help: 'Layers that are downloaded at once',
  },
  maxConcurrentUploads: {
    flag: 'max-concurrent-uploads',
    kind: count('max concurrent uploads'),
    default: 5,
    help: 'Layers that a push uploads at once',
  },
  maxDownloadAttempts: {
    flag: 'max-download-attempts',
    kind: count('max download attempts'),
    default: 5,
    help: 'How often a request to a registry is tried',
  },
  httpProxy: { flag: 'http-proxy', kind: proxy, default: '', help: 'Proxy for HTTP' },
  httpsProxy: { flag: 'https-proxy', kind: proxy, default: '', help: 'Proxy for HTTPS' },
  noProxy: {
    flag: 'no-proxy',
    kind: text,
    default: '',
    help: 'Hosts that are reached without a proxy, with commas',
  },
};
