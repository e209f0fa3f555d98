/** Keys of dockerd that Skiff has no use for yet: refused by name, so that nobody believes them to be in force. */
export const unsupportedKeys: ReadonlySet<string> = new Set([
  'allow-direct-routing',
  'authorization-plugins',
  'bip6',
  'bridge',
  'cdi-spec-dirs',
  'containerd',
  'containerd-namespace',
  'containerd-plugin-namespace',
  'cpu-rt-period',
  'cpu-rt-runtime',
  'default-gateway',
  'default-gateway-v6',
  'default-network-opts',
  'experimental',
  'fixed-cidr',
  'fixed-cidr-v6',
  'host-gateway-ips',
  'ip6tables',
  'ipv6',
  'metrics-addr',
  'network-control-plane-mtu',
  'node-generic-resources',
  'raw-logs',
  'selinux-enabled',
  'storage-opts',
  'swarm-default-advertise-addr',
  'userland-proxy',
  'userland-proxy-path',
  'userns-remap',
]);

/** Those of them that only say that something is not to be: that is so, and many files say it. */
const fulfilledWhenFalse: ReadonlySet<string> = new Set([
  'experimental',
  'ip6tables',
  'ipv6',
  'raw-logs',
  'selinux-enabled',
  'userland-proxy',
]);

/** Whether Skiff does what a key of dockerd's asks for, although it is none of its own. */
export function isFulfilled(key: string, value: unknown): boolean {
  return value === false && fulfilledWhenFalse.has(key);
}

/** Names of dockerd's flags that may be given if they are false. */
export const fulfillableFlags: readonly string[] = [...fulfilledWhenFalse];
