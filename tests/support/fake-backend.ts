import type { Backend } from '#/api/backend.ts';

type Parts = { readonly [K in keyof Backend]?: Partial<Backend[K]> };

/** An engine that only has the given methods; calling any other one fails the request with a 500. */
export function fakeBackend(parts: Parts): Backend {
  const system = { builderVersion: '2', ...parts.system };
  const service = (name: keyof Backend): unknown =>
    new Proxy((name === 'system' ? system : parts[name]) ?? {}, {
      get: (target, method) =>
        Reflect.get(target, method) ??
        (() => {
          throw new Error(`the fake engine has no ${name}.${String(method)}`);
        }),
    });
  return {
    containers: service('containers') as Backend['containers'],
    execs: service('execs') as Backend['execs'],
    images: service('images') as Backend['images'],
    registries: service('registries') as Backend['registries'],
    volumes: service('volumes') as Backend['volumes'],
    networks: service('networks') as Backend['networks'],
    system: service('system') as Backend['system'],
    events: service('events') as Backend['events'],
    builder: service('builder') as Backend['builder'],
    buildkit: service('buildkit') as Backend['buildkit'],
    builds: service('builds') as Backend['builds'],
  };
}
