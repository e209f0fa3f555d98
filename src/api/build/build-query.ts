import { isIP } from 'node:net';
import { cpus } from 'node:os';
import { invalid, messageOf } from '#/base/errors.ts';
import type { CacheLocation, ExtraHost, RunDefaults, RunNetwork } from '#/builder/request.ts';
import { checkLimits } from '#/engine/containers/check-limits.ts';
import { type Platform, parsePlatform } from '#/oci/platform.ts';
import { parseReference, type Reference, withDefaultTag } from '#/oci/reference.ts';
import type { Ulimit } from '#/wire/containers.ts';
import { compareVersions } from '#/wire/version.ts';
import type { Call } from '../call.ts';
import { ulimits } from '../decode/host-config.ts';
import { DecodeError, type Decoder, map, nullable, string, stringMap, strings } from '../decode/json.ts';
import { jsonSyntaxProblem } from '../decode/json-syntax.ts';
import type { Query } from '../query.ts';

/** What the query of `POST /build` says. */
export interface BuildQuery {
  /** 1 is Docker's classic builder, whose words the answer has; 2 is BuildKit. */
  readonly version: 1 | 2;
  /** Path in the context. */
  readonly dockerfile: string;
  /** Address of the context; empty: it is the body. */
  readonly remote: string;
  readonly names: readonly Reference[];
  readonly quiet: boolean;
  readonly noCache: boolean;
  readonly pull: boolean;
  /** Docker's classic builder keeps the containers of steps without it; here it is only a question of words. */
  readonly removeContainers: boolean;
  readonly args: ReadonlyMap<string, string>;
  readonly labels: ReadonlyMap<string, string>;
  readonly target: string | undefined;
  readonly platform: Platform | undefined;
  readonly squash: boolean;
  readonly cacheFrom: readonly CacheLocation[];
  readonly run: RunDefaults;
  /** Connects requests of one client; for BuildKit. */
  readonly session: string;
  /** By which the build can be cancelled. */
  readonly id: string;
}

const nullableStringMap: Decoder<Readonly<Record<string, string | null>> | null> = map(
  nullable(string),
  'map[string]*string',
);

/** Reads the parameters. Throws `invalid` for what Docker refuses, and for hosts that it would refuse later. */
export function readBuildQuery({ query, version }: Pick<Call, 'query' | 'version'>): BuildQuery {
  const isolation = query.text('isolation');
  if (!['', 'default'].includes(isolation.toLowerCase()))
    throw invalid(`unsupported isolation: ${JSON.stringify(isolation)}`);
  if (query.all('securityopt').length > 0) throw invalid('security options are not supported on linux');
  return {
    version: builderVersion(query),
    dockerfile: query.text('dockerfile') || 'Dockerfile',
    remote: query.text('remote'),
    names: imageNames(query.all('t')),
    quiet: query.bool('q'),
    noCache: query.bool('nocache'),
    pull: query.bool('pull'),
    removeContainers: query.bool('forcerm') || query.text('rm') === '' || query.bool('rm'),
    args: givenValues(jsonParam(query, 'buildargs', { what: 'build args', decoder: nullableStringMap })),
    labels: givenValues(jsonParam(query, 'labels', { what: 'labels', decoder: stringMap })),
    target: query.text('target') || undefined,
    platform: platformOf(query, version),
    squash: query.bool('squash'),
    cacheFrom: (jsonParam(query, 'cachefrom', { what: 'cache-from', decoder: strings }) ?? []).map(
      (reference) => ({ type: 'registry', attributes: new Map([['ref', reference]]) }),
    ),
    run: runDefaults(query),
    session: query.text('session'),
    id: query.text('buildid'),
  };
}

function builderVersion(query: Query): 1 | 2 {
  const text = query.text('version');
  if (!['', '1', '2'].includes(text)) throw invalid(`invalid version ${JSON.stringify(text)}`);
  return text === '2' ? 2 : 1;
}

/** Names of the image, each once. */
export function imageNames(texts: readonly string[]): Reference[] {
  const names = texts
    .filter((text) => text !== '')
    .map((text) => {
      const reference = parseReference(text);
      if (reference.digest !== undefined) throw invalid('build tag cannot contain a digest');
      return withDefaultTag(reference);
    });
  return [...new Map(names.map((name) => [JSON.stringify(name), name])).values()];
}

function platformOf(query: Query, version: string): Platform | undefined {
  const text = compareVersions(version, '1.32') < 0 ? '' : query.text('platform');
  return text === '' ? undefined : parsePlatform(text);
}

function runDefaults(query: Query): RunDefaults {
  const shmSize = query.int('shmsize') ?? 0;
  if (shmSize < 0) throw invalid('SHM size can not be less than 0');
  const resources = {
    memory: limit(query, 'memory'),
    memorySwap: limit(query, 'memswap'),
    cpuShares: limit(query, 'cpushares'),
    cpuPeriod: limit(query, 'cpuperiod'),
    cpuQuota: limit(query, 'cpuquota'),
    cpusetCpus: query.text('cpusetcpus') || undefined,
    cpusetMems: query.text('cpusetmems') || undefined,
  };
  checkResources(resources);
  return {
    network: runNetwork(query.text('networkmode')),
    extraHosts: query.all('extrahosts').flatMap(extraHosts),
    ulimits: (jsonParam(query, 'ulimits', { what: 'ulimit settings', decoder: ulimits }) ?? []).map(
      ({ Name, Soft, Hard }: Ulimit) => ({ name: Name, soft: Soft, hard: Hard }),
    ),
    shmSize: shmSize > 0 ? shmSize : undefined,
    cgroupParent: query.text('cgroupparent') || undefined,
    resources,
  };
}

/** Throws `invalid` for limits that no container could have. */
export function checkResources(resources: RunDefaults['resources']): void {
  const { memory = 0, memorySwap = 0, cpuShares = 0, cpuPeriod = 0, cpuQuota = 0 } = resources;
  checkLimits(
    {
      Memory: memory,
      MemorySwap: memorySwap,
      MemoryReservation: 0,
      MemorySwappiness: null,
      NanoCpus: 0,
      CpuShares: cpuShares,
      CpuPeriod: cpuPeriod,
      CpuQuota: cpuQuota,
      CpusetCpus: resources.cpusetCpus ?? '',
      CpusetMems: resources.cpusetMems ?? '',
    },
    { cpuCount: cpus().length },
  );
}

/** A limit; what is not a number is none, as for Docker. */
function limit(query: Query, name: string): number | undefined {
  const text = query.text(name).trim();
  return /^[+-]?\d{1,15}$/.test(text) ? Number(text) || undefined : undefined;
}

/** What Docker's clients call a network mode. Throws `invalid` where the container's name is missing. */
export function runNetwork(mode: string): RunNetwork {
  if (mode === '' || mode === 'default' || mode === 'bridge') return { kind: 'default' };
  if (mode === 'none' || mode === 'host') return { kind: mode };
  if (mode.startsWith('container:')) {
    const container = mode.slice('container:'.length);
    if (container === '') throw invalid('invalid network mode: invalid container format container:<name|id>');
    return { kind: 'container', container };
  }
  return { kind: 'named', name: mode };
}

/** Lines of /etc/hosts from `name:address`, one or (from API clients that send a list) a JSON array of them. */
function extraHosts(text: string): ExtraHost[] {
  if (!text.startsWith('[')) return [extraHost(text)];
  const list = parseJson(text, { what: 'extra hosts', decoder: strings });
  return (list ?? []).map(extraHost);
}

/** A line of /etc/hosts from `name:address` or `name=address`. Throws `invalid`. */
export function extraHost(text: string): ExtraHost {
  const at = text.search(/[:=]/);
  const [name, address] = [text.slice(0, Math.max(0, at)), text.slice(at + 1).replace(/^\[(.*)\]$/, '$1')];
  if (name === '' || at < 0) throw invalid(`bad format for add-host: ${JSON.stringify(text)}`);
  if (address !== 'host-gateway' && isIP(address) === 0)
    throw invalid(`invalid IP address in add-host: ${JSON.stringify(address)}`);
  return { name, address };
}

/** Those that have a value: null means what the client's environment lacked. */
function givenValues(
  values: Readonly<Record<string, string | null>> | null | undefined,
): ReadonlyMap<string, string> {
  const entries = Object.entries(values ?? {});
  return new Map(entries.filter((entry): entry is [string, string] => entry[1] !== null));
}

interface Expected<T> {
  /** For messages. */
  readonly what: string;
  readonly decoder: Decoder<T>;
}

function jsonParam<T>(query: Query, name: string, expected: Expected<T>): T | undefined {
  const text = query.text(name);
  return text === '' ? undefined : parseJson(text, expected);
}

function parseJson<T>(text: string, { what, decoder }: Expected<T>): T {
  try {
    return decoder(JSON.parse(text), '');
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof DecodeError)) throw error;
    const problem = (error instanceof SyntaxError ? jsonSyntaxProblem(text) : undefined) ?? messageOf(error);
    throw invalid(`error reading ${what}: ${problem}`, error);
  }
}
