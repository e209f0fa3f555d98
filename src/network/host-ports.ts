import { internal, isSystemError, messageOf } from '#/base/errors.ts';
import { close } from '#/kernel/at.ts';
import { bindPort } from '#/kernel/socket-bind.ts';
import type { PortRequest, Protocol, PublishedPort } from './port-request.ts';

/** What `HostPorts.allocate` has to know beside the requests. */
export interface PortContext {
  /** Where a port is published if the request names no address. */
  readonly defaultIp: string;
  /** The container's address, for messages. */
  readonly containerIp: string;
  /** A port of another container that contradicts this one. */
  readonly inUse: (protocol: Protocol, hostIp: string, hostPort: number) => PublishedPort | undefined;
}

interface Held extends PublishedPort {
  readonly fd: number;
}

/** Go's words for what people search for when a port cannot be had. */
const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EACCES: 'permission denied',
  EPROTONOSUPPORT: 'protocol not supported',
};

/** Ports of a range that other programs hold are passed over this many times before giving up, as Docker does. */
const maxForeignPorts = 10;

/**
 * Holds the host ports of running containers with bound sockets, so that another program that wants such a port is
 * told so, and the other way round. No traffic reaches these sockets: the packet filter has rewritten it before.
 */
export class HostPorts implements Disposable {
  readonly #held = new Map<string, Held[]>();

  /**
   * Takes a port for every request, all or none, and returns them in the order of the requests. Requests for certain
   * ports are served first. An EngineError tells which port could not be had.
   */
  allocate(endpointId: string, requests: readonly PortRequest[], context: PortContext): PublishedPort[] {
    const held: Held[] = [];
    const order = [...requests.keys()].sort((a, b) => choices(requests[a]) - choices(requests[b]));
    const result: PublishedPort[] = [];
    try {
      for (const index of order) {
        const request = requests[index] as PortRequest;
        const port = takePort(request, {
          ...context,
          inUse: (...args) => context.inUse(...args) ?? own(held, args),
        });
        held.push(port);
        const { protocol, containerPort, hostIp, hostPort } = port;
        result[index] = { protocol, containerPort, hostIp, hostPort };
      }
    } catch (error) {
      closeAll(held);
      throw error;
    }
    if (held.length > 0) this.#held.set(endpointId, held);
    return result;
  }

  /** Takes ports that an endpoint had before the daemon restarted; returns those that another program has taken. */
  restore(endpointId: string, ports: readonly PublishedPort[]): PublishedPort[] {
    const held: Held[] = [];
    const lost: PublishedPort[] = [];
    for (const port of ports) {
      try {
        held.push({
          ...port,
          fd: bindPort({ proto: port.protocol, ip: port.hostIp, port: port.hostPort }).fd,
        });
      } catch (error) {
        if (!isSystemError(error, ...Object.keys(reasons))) throw error;
        lost.push(port);
      }
    }
    if (held.length > 0) this.#held.set(endpointId, held);
    return lost;
  }

  /** Lets go of all ports of an endpoint. */
  release(endpointId: string): void {
    closeAll(this.#held.get(endpointId) ?? []);
    this.#held.delete(endpointId);
  }

  /** Lets go of all ports. */
  [Symbol.dispose](): void {
    for (const held of this.#held.values()) closeAll(held);
    this.#held.clear();
  }
}

/** How many ports would do: 1 for a certain one; anything at all is the most modest request. */
function choices(request: PortRequest | undefined): number {
  const range = request?.hostPorts;
  return range === undefined ? Number.POSITIVE_INFINITY : range.last - range.first;
}

function takePort(request: PortRequest, context: PortContext): Held {
  const { hostPorts: range = { first: 0, last: 0 } } = request;
  const hostIp = request.hostIp ?? context.defaultIp;
  let conflict: PublishedPort | undefined;
  let failure: Error | undefined;
  let foreign = 0;
  for (let port = range.first; port <= range.last && foreign < maxForeignPorts; port++) {
    conflict = port === 0 ? undefined : context.inUse(request.protocol, hostIp, port);
    if (conflict !== undefined) continue;
    try {
      const bound = bindPort({ proto: request.protocol, ip: hostIp, port });
      const { protocol, containerPort } = request;
      return { protocol, containerPort, hostIp, hostPort: bound.port, fd: bound.fd };
    } catch (error) {
      failure = bindFailure(error, { ...request, hostIp, hostPort: port, containerIp: context.containerIp });
      foreign += 1;
    }
  }
  if (failure !== undefined) throw failure;
  if (range.first < range.last) throw internal('all ports are allocated');
  throw internal(`Bind for ${conflict?.hostIp}:${conflict?.hostPort} failed: port is already allocated`);
}

function bindFailure(error: unknown, port: PublishedPort & { containerIp: string }): Error {
  if (!isSystemError(error)) throw error;
  const { hostIp, hostPort, containerIp, containerPort, protocol } = port;
  const reason = reasons[error.code] ?? messageOf(error);
  const what = `${hostIp}:${hostPort}:${containerIp}:${containerPort}/${protocol}`;
  return internal(`failed to bind host port for ${what}: ${reason}`, error);
}

function own(held: readonly Held[], wanted: [Protocol, string, number]): PublishedPort | undefined {
  const [protocol, hostIp, hostPort] = wanted;
  return held.find(
    (port) =>
      port.protocol === protocol &&
      port.hostPort === hostPort &&
      (port.hostIp === hostIp || port.hostIp === '0.0.0.0' || hostIp === '0.0.0.0'),
  );
}

function closeAll(held: readonly Held[]): void {
  for (const { fd } of held) close(fd);
}
