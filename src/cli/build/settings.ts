import { messageOf } from '#/base/errors.ts';
import { endpointName } from '#/client/endpoint.ts';
import { parsePlatform } from '#/oci/platform.ts';
import type { BuildDocument } from '#/wire/build.ts';
import { type Context, ExitError } from '../command.ts';
import { toMap } from '../container-options/key-values.ts';
import { proxyVariables } from '../container-options/proxies.ts';
import { checkContentTrust } from '../content-trust.ts';
import { parseAttestations } from './attestations.ts';
import { parsePair } from './attributes.ts';
import { parseCacheLocations } from './cache-locations.ts';
import type { BuildFlags } from './flags.ts';
import { checkTag } from './outputs.ts';
import { readSecrets } from './secrets.ts';

/** What a build is to be like, without its files and outputs. */
export type BuildSettings = Omit<
  BuildDocument,
  'Session' | 'Dockerfile' | 'Context' | 'NamedContexts' | 'Agents' | 'Auths' | 'Outputs'
>;

interface Given {
  readonly given: ReadonlySet<string>;
}

/** Refuses what is not there or cannot be. Throws an Error. */
export function checkFlags(flags: BuildFlags, ctx: Pick<Context, 'env'> & Given): void {
  checkContentTrust(flags, ctx);
  if (flags['security-opt'].length > 0) {
    throw new Error(
      `security options are not supported on linux (--security-opt ${flags['security-opt'][0]}): steps have the default profile, and one that needs more says RUN --security=insecure and is built with --allow security.insecure`,
    );
  }
  const oneOf = (name: 'on-error' | 'call', values: readonly string[]): void => {
    if (!values.includes(flags[name])) {
      throw new Error(
        `invalid value ${JSON.stringify(flags[name])} for --${name}: one of ${values.join(', ')}`,
      );
    }
  };
  oneOf('on-error', ['exit', 'shell']);
  if (!/^(?:[^:\s]+:)?\d*$/.test(flags['debug-step'])) {
    throw new Error(
      `invalid value ${JSON.stringify(flags['debug-step'])} for --debug-step: a number, or stage:number`,
    );
  }
  oneOf('call', ['build', 'check', 'outline', 'targets']);
  if (flags.builder !== '' && flags.builder !== 'default') {
    throw new ExitError(1, `no builder ${JSON.stringify(flags.builder)} found: there is only "default"`);
  }
  if (!['', 'default'].includes(flags.isolation.toLowerCase())) {
    throw new Error(`unsupported isolation: ${JSON.stringify(flags.isolation)}`);
  }
}

/** Whether a build may stop with a shell. */
export function wantsShell({
  DebugStep = '',
  OnError,
}: Pick<BuildSettings, 'DebugStep' | 'OnError'>): boolean {
  return DebugStep !== '' || OnError === 'shell';
}

/** The settings that the flags and the user's configuration make. Throws an Error. */
export function buildSettings(flags: BuildFlags, { client, config, env, stderr }: Context): BuildSettings {
  return {
    Names: flags.tag.map(checkTag),
    Args: {
      ...Object.fromEntries(proxyVariables(config.values.proxies, endpointName(client.endpoint))),
      ...environmentArgs(env),
      ...buildArgs(flags['build-arg'], env),
    },
    Labels: toMap(flags.label),
    Target: flags.target,
    Platforms: platforms(flags.platform, env),
    NoCache: flags['no-cache'],
    NoCacheStages: flags['no-cache-filter'].flatMap((stages) => stages.split(',')),
    Pull: flags.pull,
    Squash: flags.squash,
    NetworkMode: flags.network,
    ExtraHosts: flags['add-host'],
    Ulimits: flags.ulimit,
    ShmSize: flags['shm-size'],
    CgroupParent: flags['cgroup-parent'],
    Memory: flags.memory,
    MemorySwap: flags['memory-swap'],
    CpuShares: flags['cpu-shares'],
    CpuPeriod: flags['cpu-period'],
    CpuQuota: flags['cpu-quota'],
    CpusetCpus: flags['cpuset-cpus'],
    CpusetMems: flags['cpuset-mems'],
    Secrets: readSecrets(flags.secret, { env, stderr }),
    CacheFrom: parseCacheLocations('cache-from', flags['cache-from']),
    CacheTo: parseCacheLocations('cache-to', flags['cache-to']),
    Attestations: parseAttestations(flags),
    Entitlements: entitlements(flags),
    Explain: flags.explain,
    DebugStep: flags['debug-step'],
    OnError: flags['on-error'],
  };
}

/** A name alone takes its value from the environment, and is left out if it is not there. */
function buildArgs(texts: readonly string[], env: Context['env']): Record<string, string> {
  const pairs = texts.flatMap((text) => {
    const [name, value = env[name]] = parsePair(text);
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(pairs);
}

/** Variables that stand for build arguments without being named. */
function environmentArgs(env: Context['env']): Record<string, string> {
  const epoch = env['SOURCE_DATE_EPOCH'];
  return epoch === undefined || epoch === '' ? {} : { SOURCE_DATE_EPOCH: epoch };
}

function platforms(texts: readonly string[], env: Context['env']): string[] {
  const wanted = texts.length > 0 ? texts : [env['DOCKER_DEFAULT_PLATFORM'] ?? ''];
  const all = wanted
    .flatMap((text) => text.split(','))
    .map((text) => text.trim())
    .filter((text) => text !== '' && text !== 'local');
  for (const text of all) check(text);
  return all;
}

function check(platform: string): void {
  try {
    parsePlatform(platform);
  } catch (error) {
    throw new Error(messageOf(error), { cause: error });
  }
}

/** Who names the host's network on the command line allows it. */
function entitlements({ allow, network }: BuildFlags): string[] {
  const allowed = allow.flatMap((text) => text.split(','));
  return [...new Set(network === 'host' ? [...allowed, 'network.host'] : allowed)];
}
