import { conflict, EngineError, internal, isKind, messageOf, notImplemented } from '#/base/errors.ts';
import type { ConnectRequest, EndpointInfo } from '#/network/endpoint-info.ts';
import { checkWishes } from '#/network/endpoint-plan.ts';
import type { Networks } from '#/network/networks.ts';
import { type PortRequest, parseContainerPort, parsePortBinding } from '#/network/port-request.ts';
import type { MountInput, NamespaceInput } from '#/runtime/spec/input.ts';
import type { ContainerConfig, HostConfig, NetworkingConfig, PortMap } from '#/wire/containers.ts';
import type { EndpointSettings } from '#/wire/networks.ts';
import type { Events } from '../events.ts';
import { endpointSettings, portMap } from './endpoint-settings.ts';
import { type ContainerRecord, isAlive } from './model.ts';
import { type NetworkFiles, nameFileMounts } from './network-files.ts';
import type { ContainerStore } from './store.ts';

/** What a run gets from its network mode. */
export interface RunNetwork {
  readonly namespace: NamespaceInput;
  /** Binds of hosts, hostname and resolv.conf. */
  readonly files: readonly MountInput[];
}

interface Parts {
  readonly networks: Networks;
  readonly store: ContainerStore;
  readonly events: Events;
  readonly files: NetworkFiles;
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
    for (const request of wishes({ config, host, networking })) {
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
    return { namespace, files: nameFileMounts(this.#files.pathsOf(id), record) };
  }

  /** Takes a run out of its networks and removes its sandbox. Safe to repeat. */
  release({ id, spec }: ContainerRecord): void {
    if (spec.hostConfig.NetworkMode.startsWith('container:')) return;
    const endpoints = this.#networks.endpointsOf(id);
    this.#networks.release(id);
    for (const endpoint of endpoints) this.#publish('disconnect', endpoint);
  }

  /** Its networks by name, as inspect shows them. */
  endpointsOf(record: ContainerRecord): Record<string, EndpointSettings> {
    if (record.spec.hostConfig.NetworkMode.startsWith('container:')) return {};
    const live = new Map(
      this.#networks.endpointsOf(record.id).map((endpoint) => [endpoint.networkName, endpoint]),
    );
    const names = new Set([...networkNames(record.spec.hostConfig, record.spec.networking), ...live.keys()]);
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

  #connectAll(record: ContainerRecord): EndpointInfo[] {
    const { id, name, spec } = record;
    const requests = wishes({ config: spec.config, host: spec.hostConfig, networking: spec.networking });
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
    if (!isAlive(peer.state))
      throw conflict(
        `cannot join network namespace of a non running container: container ${peer.name} is not running`,
      );
    const mode = peer.spec.hostConfig.NetworkMode;
    if (mode.startsWith('container:')) return this.#join(record, mode.slice('container:'.length));
    const namespace: NamespaceInput =
      mode === 'host' ? 'host' : { path: `/proc/${peer.state.init.pid}/ns/net` };
    return { namespace, files: nameFileMounts(this.#files.pathsOf(peer.id), record) };
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

/** The networks that a container asks for, the one of its mode first, which also gets the ports. */
function wishes({
  config,
  host,
  networking,
}: {
  config: ContainerConfig;
  host: HostConfig;
  networking: NetworkingConfig;
}): Wish[] {
  if (host.NetworkMode.startsWith('container:')) return [];
  const asked = networking.EndpointsConfig ?? {};
  return networkNames(host, networking).map((network, index): Wish => {
    const settings = asked[network];
    const mac =
      settings?.MacAddress === undefined || settings.MacAddress === ''
        ? index === 0
          ? config.MacAddress
          : undefined
        : settings.MacAddress;
    return {
      network,
      ip: settings?.IPAMConfig?.IPv4Address === '' ? undefined : settings?.IPAMConfig?.IPv4Address,
      mac: mac === '' ? undefined : mac,
      aliases: settings?.Aliases ?? [],
      gatewayPriority: settings?.GwPriority ?? 0,
      ports:
        index === 0 && host.NetworkMode !== 'host' && host.NetworkMode !== 'none'
          ? portRequests(config, host)
          : [],
    };
  });
}

function networkNames(host: HostConfig, networking: NetworkingConfig): string[] {
  const others = Object.keys(networking.EndpointsConfig ?? {}).filter((name) => name !== 'default');
  return [...new Set([host.NetworkMode, ...others])];
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
