import './own-network.ts';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { newId } from '#/base/ids.ts';
import { silentLogger } from '#/base/log.ts';
import { createNetns, removeNetns } from '#/kernel/namespaces.ts';
import type { ConnectRequest, EndpointInfo } from '#/network/endpoint-info.ts';
import type { NetworkSpec } from '#/network/model.ts';
import { Networks } from '#/network/networks.ts';
import { type PortRequest, parsePortBinding } from '#/network/port-request.ts';
import { defaultNetworkSettings, type NetworkSettings } from '#/network/settings.ts';
import { Database } from '#/state/db.ts';
import { NetworkPeer } from './network-peer.ts';

/** The host's address on the wire to its neighbour. */
export const hostIp = '192.0.2.1';
/** The neighbour's address. */
export const neighbourIp = '192.0.2.2';

/** A container that only has a network. */
export interface LabContainer {
  readonly id: string;
  readonly info: EndpointInfo;
  readonly peer: NetworkPeer;
}

/**
 * The present network namespace as a host with Skiff's networks, and a neighbour on the same wire, which routes all
 * that is not its own through this host, even the host's 127.0.0.0/8. Run it in a private namespace only.
 */
export class NetworkLab implements AsyncDisposable {
  readonly db: Database = new Database(':memory:');
  networks: Networks;
  readonly neighbour: NetworkPeer;
  readonly host: NetworkPeer;
  readonly #stack: AsyncDisposableStack;

  private constructor(stack: AsyncDisposableStack, settings: NetworkSettings) {
    this.#stack = stack;
    this.networks = this.#open(settings);
    this.neighbour = stack.use(NetworkPeer.start('neighbour', neighbourNetns));
    this.host = stack.use(NetworkPeer.start('host'));
  }

  static create(settings: Partial<NetworkSettings> = {}): NetworkLab {
    const stack = new AsyncDisposableStack();
    mkdirSync('/run/lab', { recursive: true });
    createNetns(neighbourNetns);
    stack.defer(() => removeNetns(neighbourNetns));
    run(`ip link add lan0 type veth peer name lan0 netns ${neighbourNetns}`);
    stack.defer(() => void run('ip link del lan0'));
    stack.defer(() => void run('nft flush ruleset'));
    run(`ip addr add ${hostIp}/24 dev lan0`);
    run('ip link set lan0 up');
    inside('ip link set lo up');
    inside(`ip addr add ${neighbourIp}/24 dev lan0`);
    inside('ip link set lan0 up');
    inside(`ip route add default via ${hostIp}`);
    sendLoopbackTo(hostIp, { netns: neighbourNetns, device: 'lan0', source: neighbourIp });
    return new NetworkLab(stack, { ...defaultNetworkSettings, ...settings });
  }

  /** A running container in a network, with published ports like "8080:80/tcp" or "127.0.0.1:8080:80". */
  container(name: string, options: { network?: string; ports?: readonly string[] } = {}): LabContainer {
    const { network = 'bridge', ports = [] } = options;
    const id = newId();
    const sandbox = this.networks.createSandbox(id);
    const request = { network, containerId: id, containerName: name, ports: ports.map(parsePublish) };
    const info = this.#connect(request);
    const peer = this.#stack.use(NetworkPeer.start(name, sandbox));
    return { id, info, peer };
  }

  /** The daemon dies and starts again: sockets are gone, the rest is found again. */
  restart(
    live: readonly string[],
    settings: Partial<NetworkSettings> = {},
  ): ReturnType<Networks['reconcile']> {
    this.networks[Symbol.dispose]();
    this.networks = this.#open({ ...defaultNetworkSettings, ...settings });
    return this.networks.reconcile(new Set(live));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { containerId } of this.networks
      .list()
      .flatMap((network) => this.networks.endpointsIn(network))) {
      this.networks.release(containerId);
    }
    this.networks.tearDown();
    this.networks[Symbol.dispose]();
    this.db.close();
    await this.#stack.disposeAsync();
  }

  /** As the engine does: a start that fails is taken apart. */
  #connect(request: ConnectRequest): EndpointInfo {
    try {
      return this.networks.connect(request);
    } catch (error) {
      this.networks.release(request.containerId);
      throw error;
    }
  }

  #open(settings: NetworkSettings): Networks {
    const networks = new Networks({ db: this.db, log: silentLogger(), execRoot: '/run/lab', settings });
    networks.init();
    return networks;
  }
}

const neighbourNetns = '/run/lab/neighbour';

/** A request for a bridge network. */
export function bridgeSpec(name: string, more: Partial<NetworkSpec> = {}): NetworkSpec {
  const ipam = { driver: '', options: null, pools: [] };
  const flags = { internal: false, attachable: false, enableIpv6: false };
  return { name, driver: '', labels: {}, options: {}, ipam, ...flags, ...more };
}

/** Reads `[ip:]hostPort:containerPort[/protocol]`. */
export function parsePublish(text: string): PortRequest {
  const parts = text.split(':');
  const port = parts.pop() ?? '';
  const hostPort = parts.pop() ?? '';
  return parsePortBinding(port, { hostIp: parts.pop() ?? '', hostPort });
}

/** Makes a namespace send packets to 127.0.0.0/8 to a gateway, as an attacker would. */
export function sendLoopbackTo(
  gateway: string,
  { netns, device, source }: { netns: string; device: string; source: string },
): void {
  const at = `nsenter --net=${netns}`;
  run(`${at} sh -c "echo 1 > /proc/sys/net/ipv4/conf/${device}/route_localnet"`);
  // Otherwise the namespace keeps such packets to itself.
  run(`${at} ip route del local 127.0.0.0/8 dev lo table local`);
  run(`${at} ip route del local 127.0.0.1 dev lo table local`);
  run(`${at} ip route add 127.0.0.0/8 via ${gateway} src ${source}`);
}

/** Runs a command (words without spaces, or `sh -c "…"`) and returns its output. */
export function run(command: string): string {
  const shell = /^(.*sh -c) "(.*)"$/.exec(command);
  const words = shell === null ? command.split(' ') : [...(shell[1] ?? '').split(' '), shell[2] ?? ''];
  return execFileSync(words[0] ?? '', words.slice(1), { encoding: 'utf8' });
}

function inside(command: string): string {
  return run(`nsenter --net=${neighbourNetns} ${command}`);
}
