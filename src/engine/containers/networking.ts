import { conflict, EngineError, internal, isKind, messageOf, notImplemented } from '#/base/errors.ts';
import type { ConnectRequest, EndpointInfo } from '#/network/endpoint-info.ts';
import { checkWishes } from '#/network/endpoint-plan.ts';
import type { NetworkRecord } from '#/network/model.ts';
import type { Networks } from '#/network/networks.ts';
import { type PortRequest, parseContainerPort, parsePortBinding } from '#/network/port-request.ts';
import type { MountInput, NamespaceInput } from '#/runtime/spec/input.ts';
import type { ContainerConfig, HostConfig, NetworkingConfig, PortMap } from '#/wire/containers.ts';
import type { EndpointSettings } from '#/wire/networks.ts';
import type { Events } from '../events.ts';
import { endpointSettings, portMap } from './endpoint-settings.ts';
import { type ContainerRecord, type ContainerSpec, isAlive } from './model.ts';
import { type NetworkFiles, nameFileMounts } from './network-files.ts';
import type { ContainerStore } from './store.ts';

/** What a run gets from its network mode. */
export interface RunNetwork {
  readonly namespace: NamespaceInput;
  /** Binds of hosts, hostname and resolv.conf. */
  readonly files: readonly MountInput[];
  /** Who shares another's network shares its names. */
  readonly names: { readonly hostname: string; readonly domainname: string };
}

interface Parts {
  readonly networks: Networks;
  readonly store: ContainerStore;
  readonly events: Events;
  readonly files: NetworkFiles;
}

function namesOf({ spec: { config } }: ContainerRecord): RunNetwork['names'] {
  return { hostname: config.Hostname, domainname: config.Domainname };
}

/** The network side of containers: what Docker's NetworkMode, PortBindings and endpoint settings come to. */
export class ContainerNetworking {
  readonly #networks: Networks;
  readonly #store: ContainerStore;
  readonly #events: Events;
  readonly #files: NetworkFiles;

  constructor({ networks, store, events, files }: Parts) {
    this.#networks = networks;
    this.#store = store;
    this.#events = events;
    this.#files = files;
  }

  /** Checks what a create request asks of the network, as far as that is possible before the start. */
  checkRequest({
    config,
    host,
    networking,
  }: {
    config: ContainerConfig;
    host: HostConfig;
    networking: NetworkingConfig;
  }): void {
    for (const [port, bindings] of Object.entries(host.PortBindings ?? {})) {
      parseContainerPort(port);
      for (const { HostIp, HostPort } of bindings ?? [])
        parsePortBinding(port, { hostIp: HostIp, hostPort: HostPort });
    }
    if ((host.Links ?? []).length > 0) {
      throw notImplemented(
        'links are not implemented: put the containers into a network of their own and use their names',
      );
    }
    for (const request of wishes({ config, hostConfig: host, networking })) {
      try {
        checkWishes(this.#networks.find(request.network), request);
      } catch (error) {
        // A network that does not exist yet is looked for when the container starts.
        if (isKind(error, 'notFound')) continue;
        throw error instanceof EngineError
          ? new EngineError(error.kind, `invalid config for network ${request.network}: ${error.message}`, {
              cause: error,
            })
          : error;
      }
    }
  }

  /** Makes the sandbox of a run and connects it; a failure leaves the rest to `release`. */
  set(record: ContainerRecord): RunNetwork {
    const { id, spec } = record;
    const mode = spec.hostConfig.NetworkMode;
    if (mode.startsWith('container:')) return this.#join(record, mode.slice('container:'.length));
    const namespace: NamespaceInput = mode === 'host' ? 'host' : { path: this.#networks.createSandbox(id) };
    const endpoints = this.#connectAll(record);
    for (const endpoint of endpoints) this.#publish('connect', endpoint);
    this.#files.write(record, endpoints);
    return { namespace, files: nameFileMounts(this.#files.pathsOf(id), record), names: namesOf(record) };
  }

  /** Takes a run out of its networks and removes its sandbox. Safe to repeat. */
  release({ id, spec }: ContainerRecord): void {
    if (spec.hostConfig.NetworkMode.startsWith('container:')) return;
    const endpoints = this.#networks.endpointsOf(id);
    this.#networks.release(id);
    for (const endpoint of endpoints) this.#publish('disconnect', endpoint);
  }

  /** Connects a container to one more network: now if it runs, and at each start. */
  enter(record: ContainerRecord, network: NetworkRecord, settings: EndpointSettings | null): void {
    const { id, name, spec } = record;
    const wish = { ...endpointWish(network.name, settings), containerId: id, containerName: name };
    checkWishes(network, wish);
    const endpoint = isAlive(record.state) ? this.#networks.connect(wish) : undefined;
    const mode = spec.hostConfig.NetworkMode;
    const ref = isNamed(network, mode) ? mode : network.name;
    const asked = { ...spec.networking.EndpointsConfig, [ref]: settings };
    const networksLeft = (spec.networksLeft ?? []).filter((left) => !isNamed(network, left));
    const networking = { ...spec.networking, EndpointsConfig: asked };
    this.#store.update({ ...record, spec: { ...spec, networking, networksLeft } });
    if (endpoint === undefined) return;
    this.#files.addHost(record, endpoint);
    this.#publish('connect', endpoint);
  }

  /** Takes a container out of a network: now if it runs, and for its next start. False if it was not in it. */
  leave(record: ContainerRecord, network: NetworkRecord): boolean {
    const { id, spec } = record;
    const endpoint = this.#networks.endpointsOf(id).find(({ networkId }) => networkId === network.id);
    const refs = networkNames(spec).filter((ref) => isNamed(network, ref));
    if (endpoint === undefined && refs.length === 0) return false;
    if (endpoint !== undefined) this.#networks.disconnect({ network: network.id, containerId: id });
    const asked = Object.entries(spec.networking.EndpointsConfig ?? {}).filter(
      ([ref]) => !refs.includes(ref),
    );
    const networking = { ...spec.networking, EndpointsConfig: Object.fromEntries(asked) };
    const networksLeft = [...new Set([...(spec.networksLeft ?? []), ...refs])];
    this.#store.update({ ...record, spec: { ...spec, networking, networksLeft } });
    if (endpoint !== undefined) {
      this.#files.removeHost(record, endpoint);
      this.#publish('disconnect', endpoint);
    }
    return true;
  }

  /** Its networks by name, as inspect shows them. */
  endpointsOf(record: ContainerRecord): Record<string, EndpointSettings> {
    if (record.spec.hostConfig.NetworkMode.startsWith('container:')) return {};
    const live = new Map(
      this.#networks.endpointsOf(record.id).map((endpoint) => [endpoint.networkName, endpoint]),
    );
    const names = new Set([...networkNames(record.spec), ...live.keys()]);
    return Object.fromEntries(
      [...names].map((name) => [
        name,
        endpointSettings(record, { endpoint: live.get(name), networkId: this.#idOf(record, name), name }),
      ]),
    );
  }

  /** Names and ids of its networks. */
  namesOf(record: ContainerRecord): string[] {
    return Object.entries(this.endpointsOf(record)).flatMap(([name, { NetworkID }]) => [name, NetworkID]);
  }

  /** What is published now, and what is only exposed; nothing while it does not run. */
  portsOf(record: ContainerRecord): PortMap {
    if (!isAlive(record.state)) return {};
    const published = this.#networks.endpointsOf(record.id).flatMap(({ ports }) => ports);
    return portMap(Object.keys(record.spec.config.ExposedPorts ?? {}), published);
  }

  /** Its network namespace while it runs. */
  sandboxOf({ id, spec, state }: ContainerRecord): { id: string; path: string } | undefined {
    const mode = spec.hostConfig.NetworkMode;
    if (!isAlive(state) || mode.startsWith('container:')) return undefined;
    return { id, path: mode === 'host' ? `/proc/${process.pid}/ns/net` : this.#networks.sandboxOf(id) };
  }

  /** The network namespace of a container that runs. Throws `notFound`, `conflict` for one that does not run. */
  namespaceOf(ref: string): NamespaceInput {
    const peer = this.#store.find(ref);
    if (!isAlive(peer.state)) throw notJoinable(peer);
    const mode = peer.spec.hostConfig.NetworkMode;
    if (mode.startsWith('container:')) return this.namespaceOf(mode.slice('container:'.length));
    return mode === 'host' ? 'host' : { path: this.#networks.sandboxOf(peer.id) };
  }

  #connectAll(record: ContainerRecord): EndpointInfo[] {
    const { id, name, spec } = record;
    const requests = wishes(spec);
    try {
      return requests.map((request) =>
        this.#networks.connect({ ...request, containerId: id, containerName: name }),
      );
    } catch (error) {
      throw error instanceof EngineError
        ? new EngineError(error.kind, `failed to set up container networking: ${error.message}`, {
            cause: error,
          })
        : error;
    }
  }

  /** The namespace and the files of another container, which must run. */
  #join(record: ContainerRecord, ref: string): RunNetwork {
    let peer: ContainerRecord;
    try {
      peer = this.#store.find(ref);
    } catch (error) {
      throw internal(`joining network namespace of container: ${messageOf(error)}`, error);
    }
    if (peer.id === record.id) throw conflict('cannot join own network namespace');
    if (!isAlive(peer.state)) throw notJoinable(peer);
    const mode = peer.spec.hostConfig.NetworkMode;
    if (mode.startsWith('container:')) return this.#join(record, mode.slice('container:'.length));
    const namespace: NamespaceInput = mode === 'host' ? 'host' : { path: this.#networks.sandboxOf(peer.id) };
    return { namespace, files: nameFileMounts(this.#files.pathsOf(peer.id), record), names: namesOf(peer) };
  }

  /** Docker knows the id once the container has run. */
  #idOf({ state }: ContainerRecord, name: string): string {
    if (state.kind === 'created' || state.kind === 'creating') return '';
    return this.#networks.list().find((network) => network.name === name || network.id === name)?.id ?? '';
  }

  #publish(action: 'connect' | 'disconnect', { networkId, networkName, containerId }: EndpointInfo): void {
    const driver = this.#networks.find(networkId).driver;
    this.#events.publish({
      type: 'network',
      action,
      actor: { id: networkId, attributes: { container: containerId, name: networkName, type: driver } },
    });
  }
}

type Wish = Omit<ConnectRequest, 'containerId' | 'containerName'>;

type Asked = Pick<ContainerSpec, 'config' | 'hostConfig' | 'networking' | 'networksLeft'>;

/** The networks that a container asks for, the one of its mode first, which also gets the ports. */
function wishes(spec: Asked): Wish[] {
  const { config, hostConfig, networking } = spec;
  const mode = hostConfig.NetworkMode;
  if (mode.startsWith('container:')) return [];
  return networkNames(spec).map((network, index): Wish => {
    const wish = endpointWish(network, settingsFor(network, networking));
    if (index > 0) return wish;
    const mac = wish.mac ?? (config.MacAddress === '' ? undefined : config.MacAddress);
    const hasPorts = mode !== 'host' && mode !== 'none';
    return { ...wish, mac, ports: hasPorts ? portRequests(config, hostConfig) : [] };
  });
}

/** Clients that name no network say "default" in the place of "bridge". */
function settingsFor(network: string, { EndpointsConfig: asked }: NetworkingConfig): EndpointSettings | null {
  return asked?.[network] ?? (network === 'bridge' ? asked?.['default'] : undefined) ?? null;
}

function endpointWish(network: string, settings: EndpointSettings | null): Wish {
  const given = (text: string | undefined): string | undefined => (text === '' ? undefined : text);
  return {
    network,
    ip: given(settings?.IPAMConfig?.IPv4Address),
    mac: given(settings?.MacAddress),
    aliases: settings?.Aliases ?? [],
    gatewayPriority: settings?.GwPriority ?? 0,
  };
}

function networkNames({ hostConfig, networking, networksLeft = [] }: Omit<Asked, 'config'>): string[] {
  const others = Object.keys(networking.EndpointsConfig ?? {}).filter((name) => name !== 'default');
  return [...new Set([hostConfig.NetworkMode, ...others])].filter((name) => !networksLeft.includes(name));
}

/** Whether a request that says `ref` means the network. */
function isNamed({ id, name }: NetworkRecord, ref: string): boolean {
  return ref === name || ref === id || (ref.length >= 12 && id.startsWith(ref));
}

/** As in Docker, what is to be published must also be exposed. */
function portRequests(config: ContainerConfig, host: HostConfig): PortRequest[] {
  return Object.keys(config.ExposedPorts ?? {}).flatMap((port) => {
    const bindings = host.PortBindings?.[port] ?? [];
    if (bindings.length > 0)
      return bindings.map(({ HostIp, HostPort }) =>
        parsePortBinding(port, { hostIp: HostIp, hostPort: HostPort }),
      );
    return host.PublishAllPorts ? [parsePortBinding(port, { hostIp: '', hostPort: '' })] : [];
  });
}

function notJoinable({ name, state }: ContainerRecord): EngineError {
  const shown = state.kind === 'creating' ? 'created' : state.kind;
  return conflict(`cannot join network namespace of a non running container: container ${name} is ${shown}`);
}
