import { isIP } from 'node:net';
import { invalid } from '#/base/errors.ts';
import type { ExtraHost, RunDefaults, RunNetwork } from '#/builder/request.ts';
import { checkResources } from '../../build/build-query.ts';
import { type Attributes, csvFields, numberAt } from './attributes.ts';

/** What the attributes of the Dockerfile front end say of RUN instructions. */
export function runDefaults(attributes: Attributes): RunDefaults {
  const resources = {
    memory: numberAt(attributes, 'memory', 1),
    memorySwap: numberAt(attributes, 'memswap', -1),
    cpuShares: numberAt(attributes, 'cpushares', 1),
    cpuPeriod: numberAt(attributes, 'cpuperiod', 1),
    cpuQuota: numberAt(attributes, 'cpuquota', 1),
    cpusetCpus: attributes.get('cpusetcpus') || undefined,
    cpusetMems: attributes.get('cpusetmems') || undefined,
  };
  checkResources(resources);
  return {
    network: networkOf(attributes.get('force-network-mode') ?? ''),
    extraHosts: csvFields(attributes.get('add-hosts') ?? '').map(extraHost),
    ulimits: csvFields(attributes.get('ulimit') ?? '').map(ulimit),
    shmSize: numberAt(attributes, 'shm-size') || undefined,
    cgroupParent: attributes.get('cgroup-parent') || undefined,
    resources,
  };
}

/** `sandbox` is BuildKit's word for the default; names of networks are Skiff's own addition. */
function networkOf(mode: string): RunNetwork {
  switch (mode) {
    case '':
    case 'sandbox':
    case 'default':
    case 'bridge':
      return { kind: 'default' };
    case 'none':
    case 'host':
      return { kind: mode };
    default:
      return { kind: 'named', name: mode };
  }
}

/** `name=address`; a hyphenated `host-gateway` was replaced by the client, or stays for the builder. */
function extraHost(text: string): ExtraHost {
  const at = text.indexOf('=');
  const [name, address] = [text.slice(0, at), text.slice(at + 1).replace(/^\[(.*)\]$/, '$1')];
  if (at < 1) throw invalid(`failed to parse additional hosts: invalid key-value pair ${text}`);
  if (isIP(address) === 0 && address !== 'host-gateway') {
    throw invalid(`failed to parse additional hosts: failed to parse IP ${address}`);
  }
  return { name: name.toLowerCase(), address };
}

/** `name=soft[:hard]`. */
function ulimit(text: string): RunDefaults['ulimits'][number] {
  const match = /^([a-z]+)=(-?\d{1,15})(?::(-?\d{1,15}))?$/.exec(text);
  if (match === null) throw invalid(`failed to parse ulimit: invalid ulimit argument: ${text}`);
  const [, name = '', soft = '', hard = soft] = match;
  return { name, soft: Number(soft), hard: Number(hard) };
}
