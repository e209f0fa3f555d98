import '#tests/own-network.ts';
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ErrorKind, isKind } from '#/base/errors.ts';
import { newId } from '#/base/ids.ts';
import { KeyedLocks } from '#/base/locks.ts';
import { silentLogger } from '#/base/log.ts';
import { Networks } from '#/network/networks.ts';
import { defaultNetworkSettings } from '#/network/settings.ts';
import { Database } from '#/state/db.ts';
import type { EndpointSettings, NetworkCreateRequest } from '#/wire/networks.ts';
import type { ContainerRecord, ContainerSpec, ContainerState } from './containers/model.ts';
import { NetworkFiles } from './containers/network-files.ts';
import { ContainerNetworking } from './containers/networking.ts';
import { ContainerStore } from './containers/store.ts';
import { type EngineEvent, Events } from './events.ts';
import { NetworkOperations } from './networks.ts';

const ref = { pid: 1, startTime: '1' };
const running: ContainerState = { kind: 'running', init: ref, monitor: ref, startedAt: '' };
const created: ContainerState = { kind: 'created', error: '', exitCode: 0 };

/** Docker's networks on real ones, with containers that are only records and a network namespace. */
class Scratch implements Disposable {
  readonly #stack = new DisposableStack();
  readonly #dir: string = mkdtempSync(join(tmpdir(), 'skiff-networks-'));
  readonly #db: Database;
  readonly #events = new Events();
  readonly networks: Networks;
  readonly containers: ContainerStore;
  readonly connections: ContainerNetworking;
  readonly operations: NetworkOperations;

  constructor() {
    this.#stack.defer(() => rmSync(this.#dir, { recursive: true }));
    this.#db = this.#stack.use(new Database(':memory:'));
    const options = {
      db: this.#db,
      log: silentLogger(),
      execRoot: this.#dir,
      settings: defaultNetworkSettings,
    };
    const networks = this.#stack.use(new Networks(options));
    networks.init();
    this.networks = networks;
    this.#stack.defer(() => {
      for (const { id } of this.containers.all()) networks.release(id);
      networks.tearDown();
    });
    const dns = { servers: [], search: [], options: [] };
    const files = new NetworkFiles({ dirOf: (id) => join(this.#dir, id), dns });
    const events = this.#events;
    this.containers = new ContainerStore(this.#db);
    const containers = this.containers;
    this.connections = new ContainerNetworking({ networks, store: containers, events, files });
    const { connections } = this;
    this.operations = new NetworkOperations({
      networks,
      connections,
      containers,
      locks: new KeyedLocks(),
      events,
    });
  }

  /** A container; if it runs, it has its networks. */
  container(name: string, { mode = 'bridge', state = running } = {}): ContainerRecord {
    const spec = {
      config: { Hostname: name, Domainname: '', ExposedPorts: null, MacAddress: '' },
      hostConfig: { NetworkMode: mode, ExtraHosts: null, Dns: null, DnsSearch: null, DnsOptions: null },
      networking: { EndpointsConfig: null },
      mounts: [],
    } as unknown as ContainerSpec;
    const times = { created: '', restartCount: 0, manuallyStopped: false };
    const record: ContainerRecord = { id: newId(), name, imageId: '', spec, state, ...times };
    this.containers.insert(record);
    mkdirSync(join(this.#dir, record.id));
    if (state === running) this.connections.set(record);
    return record;
  }

  create(name: string, more: Partial<NetworkCreateRequest> = {}): string {
    return this.operations.create({ Name: name, ...more }).Id;
  }

  list(filters: Readonly<Record<string, string[]>>): string[] {
    return this.operations.list(new Map(Object.entries(filters))).map(({ Name }) => Name);
  }

  hosts({ id }: ContainerRecord): string[] {
    return readFileSync(join(this.#dir, id, 'hosts'), 'utf8')
      .split('\n')
      .slice(6, -1);
  }

  /** `action name` of the network events of `fn`. */
  async eventsOf(fn: () => Promise<void> | void): Promise<string[]> {
    const stop = new AbortController();
    const events = this.#events.subscribe({ signal: stop.signal });
    await fn();
    stop.abort();
    const all: EngineEvent[] = await Array.fromAsync(events);
    return all.map(({ action, actor }) => `${action} ${actor.attributes['name'] ?? ''}`);
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}

function settings(more: Partial<EndpointSettings>): EndpointSettings {
  return more as EndpointSettings;
}

async function refused(fn: () => unknown, kind: ErrorKind, message: string): Promise<void> {
  await assert.rejects(
    async () => fn(),
    (error) => {
      assert.ok(isKind(error, kind), String(error));
      assert.equal(error.message, message);
      return true;
    },
  );
}

const chosen = { IPAM: { Config: [{ Subnet: '10.77.0.0/24' }] } };

test('NetworkOperations: inspect shows a network and its running containers', () => {
  using scratch = new Scratch();
  const c = scratch.container('web');
  const { Containers, Options, IPAM, ...network } = scratch.operations.inspect('bridge');
  assert.deepEqual(
    { ...network, Id: '', Created: '' },
    {
      Name: 'bridge',
      Id: '',
      Created: '',
      Scope: 'local',
      Driver: 'bridge',
      EnableIPv4: true,
      EnableIPv6: false,
      Internal: false,
      Attachable: false,
      Ingress: false,
      ConfigFrom: { Network: '' },
      ConfigOnly: false,
      Labels: {},
    },
  );
  assert.deepEqual(IPAM.Config, [{ Subnet: '172.17.0.0/16', Gateway: '172.17.0.1' }]);
  assert.equal(Options['com.docker.network.bridge.name'], 'skiff0');
  const endpoint = Containers[c.id];
  assert.deepEqual(
    { ...endpoint, EndpointID: '' },
    {
      Name: 'web',
      EndpointID: '',
      MacAddress: '02:42:ac:11:00:02',
      IPv4Address: '172.17.0.2/16',
      IPv6Address: '',
    },
  );
  assert.equal(scratch.operations.inspect('none').IPAM.Config, null);
});

test('NetworkOperations: list filters', async () => {
  using scratch = new Scratch();
  const id = scratch.create('mine', { Labels: { a: 'b' } });
  scratch.create('used');
  scratch.container('c', { mode: 'used' });
  assert.deepEqual(scratch.list({}), ['bridge', 'host', 'none', 'mine', 'used']);
  assert.deepEqual(scratch.list({ driver: ['bridge'], type: ['custom'] }), ['mine', 'used']);
  assert.deepEqual(scratch.list({ name: ['^m', 'os'] }), ['host', 'mine']);
  assert.deepEqual(scratch.list({ id: [id.slice(3, 20)] }), ['mine']);
  assert.deepEqual(scratch.list({ label: ['a=b'] }), ['mine']);
  assert.deepEqual(scratch.list({ scope: ['swarm'] }), []);
  assert.deepEqual(scratch.list({ dangling: ['true'] }), ['mine']);
  assert.deepEqual(scratch.list({ type: ['builtin'], dangling: ['0'] }), ['bridge', 'host', 'none']);
  await refused(() => scratch.list({ bad: ['x'] }), 'invalid', "invalid filter 'bad'");
  await refused(() => scratch.list({ type: ['x'] }), 'invalid', "invalid filter: 'type'='x'");
});

test('NetworkOperations: connect and disconnect a running container', async () => {
  using scratch = new Scratch();
  scratch.create('mine', chosen);
  const c = scratch.container('c');
  const connect = (more: Partial<EndpointSettings>): Promise<void> =>
    scratch.operations.connect({ network: 'mine', container: 'c', settings: settings(more) });
  const disconnect = (): Promise<void> =>
    scratch.operations.disconnect({ network: 'mine', container: 'c', force: false });
  await refused(
    () => connect({ IPAMConfig: { IPv4Address: '10.99.0.1' } }),
    'invalid',
    'invalid endpoint settings:\nno configured subnet or ip-range contain the IP address 10.99.0.1',
  );
  assert.deepEqual(await scratch.eventsOf(() => connect({ IPAMConfig: { IPv4Address: '10.77.0.9' } })), [
    'connect mine',
  ]);
  await refused(() => connect({}), 'forbidden', 'endpoint with name c already exists in network mine');
  assert.deepEqual(scratch.hosts(c), ['172.17.0.2\tc', '10.77.0.9\tc']);
  const record = scratch.containers.find('c');
  assert.equal(scratch.connections.endpointsOf(record)['mine']?.IPAddress, '10.77.0.9');
  await refused(
    () => scratch.operations.remove('mine'),
    'forbidden',
    `error while removing network: network mine has active endpoints (name:"c" id:"${scratch.connections.endpointsOf(record)['mine']?.EndpointID.slice(0, 12)}")`,
  );
  assert.deepEqual(await scratch.eventsOf(disconnect), ['disconnect mine']);
  await refused(disconnect, 'internal', `container ${c.id} is not connected to network mine`);
  assert.deepEqual(scratch.hosts(c), ['172.17.0.2\tc']);
  assert.deepEqual(await scratch.eventsOf(() => scratch.operations.remove('mine')), ['destroy mine']);
});

test('NetworkOperations: what is connected and disconnected holds for the next start', async () => {
  using scratch = new Scratch();
  scratch.create('mine');
  scratch.container('c', { state: created });
  const names = (): string[] => Object.keys(scratch.connections.endpointsOf(scratch.containers.find('c')));
  await scratch.operations.connect({ network: 'mine', container: 'c', settings: null });
  assert.deepEqual(names(), ['bridge', 'mine']);
  await scratch.operations.disconnect({ network: 'bridge', container: 'c', force: false });
  assert.deepEqual(names(), ['mine']);
  scratch.connections.set(scratch.containers.find('c'));
  assert.deepEqual(
    scratch.networks.endpointsOf(scratch.containers.find('c').id).map(({ networkName }) => networkName),
    ['mine'],
  );
  await scratch.operations.connect({ network: 'bridge', container: 'c', settings: null });
  assert.deepEqual(names(), ['bridge', 'mine']);
});

test('NetworkOperations: refuses combinations that make no sense', async () => {
  using scratch = new Scratch();
  scratch.create('mine');
  scratch.container('c');
  scratch.container('h', { mode: 'host', state: created });
  const connect = (network: string, container: string) => () =>
    scratch.operations.connect({ network, container, settings: null });
  await refused(connect('nope', 'c'), 'notFound', 'network nope not found');
  await refused(connect('mine', 'nope'), 'notFound', 'No such container: nope');
  await refused(
    connect('host', 'c'),
    'invalid',
    'cannot connect container to host network - container must be created in host network mode',
  );
  await refused(
    connect('none', 'c'),
    'invalid',
    'container cannot be connected to multiple networks with one of the networks in private (none) mode',
  );
  await refused(
    connect('mine', 'h'),
    'invalid',
    'container sharing network namespace with another container or host cannot be connected to any other network',
  );
  await refused(
    () => scratch.operations.disconnect({ network: 'mine', container: 'nope', force: true }),
    'notFound',
    'endpoint nope not found',
  );
  const create = (more: Partial<NetworkCreateRequest>) => () => scratch.create('x', more);
  await refused(create({ Ingress: true }), 'forbidden', 'Ingress network can only be global scope network');
  await refused(
    create({ Scope: 'swarm' }),
    'forbidden',
    'cannot create a swarm scoped network when swarm is not active',
  );
  await refused(create({ EnableIPv4: false }), 'invalid', 'IPv4 or IPv6 must be enabled');
  await refused(
    create({ ConfigOnly: true }),
    'notImplemented',
    'networks that only hold configuration are not implemented',
  );
});

test('NetworkOperations: prune removes what no container uses, running or not', async () => {
  using scratch = new Scratch();
  for (const name of ['unused', 'kept', 'running', 'stopped']) {
    scratch.create(name, { Labels: name === 'kept' ? { keep: '' } : {} });
  }
  scratch.container('r', { mode: 'running' });
  scratch.container('s', { mode: 'stopped', state: created });
  const filters = new Map([['label!', ['keep']]]);
  assert.deepEqual(scratch.operations.prune(new Map([['until', ['1h']]])).NetworksDeleted, null);
  assert.deepEqual(scratch.operations.prune(filters).NetworksDeleted, ['unused']);
  assert.deepEqual(scratch.list({ type: ['custom'] }), ['kept', 'running', 'stopped']);
});
