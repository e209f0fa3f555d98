import { canonicalString, parseReference } from '#/oci/reference.ts';
import type { BuildRequest } from '../request.ts';

/**
 * What a client asked for, as attributes of BuildKit's Dockerfile front end. What only matters on this machine (control groups,
 * which platforms, whether to ask registries) is left out, as in BuildKit's provenances.
 */
export function frontendArgs(request: BuildRequest): Map<string, string> {
  const { target, noCache, noCacheStages, run } = request;
  const args = new Map<string, string>();
  const set = (name: string, value: string | undefined): void => {
    if (value !== undefined && value !== '') args.set(name, value);
  };
  for (const [name, value] of request.args) args.set(`build-arg:${name}`, value);
  for (const [name, value] of request.labels) args.set(`label:${name}`, value);
  for (const [name, named] of request.namedContexts) {
    if (named.kind === 'image') set(`context:${name}`, `docker-image://${imageName(named.reference)}`);
    else set(`context:${name}`, `${named.kind === 'tree' ? 'local' : named.kind}:${name}`);
  }
  set('target', target);
  if (noCache) args.set('no-cache', '');
  else set('no-cache', noCacheStages.join(','));
  const { network } = run;
  if (network.kind !== 'default')
    set('force-network-mode', network.kind === 'named' ? network.name : network.kind);
  set('add-hosts', run.extraHosts.map(({ name, address }) => `${name}=${address}`).join(','));
  set('ulimit', run.ulimits.map(({ name, soft, hard }) => `${name}=${soft}:${hard}`).join(','));
  set('shm-size', run.shmSize?.toString());
  return args;
}

function imageName(reference: string): string {
  try {
    return canonicalString(parseReference(reference));
  } catch {
    // An image by its id.
    return reference;
  }
}
