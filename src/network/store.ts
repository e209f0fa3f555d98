import type { Database, Row, Statement } from '#/state/db.ts';
import type { EndpointConfig, EndpointRecord, NetworkConfig, NetworkDriver, NetworkRecord } from './model.ts';
import type { Protocol, PublishedPort } from './port-request.ts';

/** The tables of migration 0003: networks, their endpoints, published ports. Rows become typed values here, once. */
export class NetworkStore {
  readonly #sql: Readonly<Record<keyof typeof statements, Statement>>;

  constructor(db: Database) {
    const prepared = Object.entries(statements).map(([name, sql]) => [name, db.prepare(sql)]);
    this.#sql = Object.fromEntries(prepared) as Record<keyof typeof statements, Statement>;
  }

  /** In the order of their creation. */
  networks(): NetworkRecord[] {
    return this.#sql.networks.all().map(toNetwork);
  }

  networkById(id: string): NetworkRecord | undefined {
    const row = this.#sql.networkById.get(id);
    return row && toNetwork(row);
  }

  networkByName(name: string): NetworkRecord | undefined {
    const row = this.#sql.networkByName.get(name);
    return row && toNetwork(row);
  }

  /** Throws the database's own error if the name or the bridge is in use. */
  insertNetwork({ id, name, driver, created, bridge, config }: NetworkRecord): void {
    const { link = null, subnet, gateway = null } = bridge ?? {};
    const json = JSON.stringify(config);
    this.#sql.insertNetwork.run(
      id,
      name,
      driver,
      created,
      link,
      subnet?.base ?? null,
      subnet?.prefix ?? null,
      gateway,
      json,
    );
  }

  /** Replaces the addressing and configuration of a network that keeps its identity: the default one. */
  updateNetwork({ id, bridge, config }: NetworkRecord): void {
    const { link = null, subnet, gateway = null } = bridge ?? {};
    this.#sql.updateNetwork.run(
      link,
      subnet?.base ?? null,
      subnet?.prefix ?? null,
      gateway,
      JSON.stringify(config),
      id,
    );
  }

  deleteNetwork(id: string): void {
    this.#sql.deleteNetwork.run(id);
  }

  /** The address handed out last. */
  cursor(networkId: string): number | undefined {
    const row = this.#sql.cursor.get(networkId);
    return row && Number(row['last']);
  }

  setCursor(networkId: string, last: number): void {
    this.#sql.setCursor.run(networkId, last);
  }

  isAddressTaken(networkId: string, address: number): boolean {
    return this.#sql.addressTaken.get(networkId, address) !== undefined;
  }

  endpoint(networkId: string, containerId: string): EndpointRecord | undefined {
    const row = this.#sql.endpoint.get(networkId, containerId);
    return row && this.#toEndpoint(row);
  }

  endpointsOf(containerId: string): EndpointRecord[] {
    return this.#sql.endpointsOf.all(containerId).map((row) => this.#toEndpoint(row));
  }

  endpointsIn(networkId: string): EndpointRecord[] {
    return this.#sql.endpointsIn.all(networkId).map((row) => this.#toEndpoint(row));
  }

  /** All endpoints of all networks. */
  endpoints(): EndpointRecord[] {
    return this.#sql.endpoints.all().map((row) => this.#toEndpoint(row));
  }

  insertEndpoint(endpoint: EndpointRecord): void {
    const { id, networkId, containerId, address = null, mac = null, config } = endpoint;
    const json = JSON.stringify(config);
    this.#sql.insertEndpoint.run(id, networkId, containerId, address, mac, endpoint.interface ?? null, json);
    for (const port of endpoint.ports) this.insertPort(id, port);
  }

  /** Its published ports go with it. */
  deleteEndpoint(id: string): void {
    this.#sql.deleteEndpoint.run(id);
  }

  insertPort(endpointId: string, port: PublishedPort): void {
    this.#sql.insertPort.run(endpointId, port.protocol, port.hostIp, port.hostPort, port.containerPort);
  }

  deletePort({ protocol, hostIp, hostPort }: PublishedPort): void {
    this.#sql.deletePort.run(protocol, hostPort, hostIp);
  }

  /** A published port that contradicts `hostIp`: on the same address, or one of the two on all addresses. */
  portInConflict(protocol: Protocol, hostIp: string, hostPort: number): PublishedPort | undefined {
    const row = this.#sql.portInConflict.get(protocol, hostPort, hostIp, hostIp);
    return row && toPort(row);
  }

  /** In which boot Skiff switched forwarding on, if it did. */
  forwardingBoot(): string | undefined {
    const row = this.#sql.forwarding.get();
    return row && String(row['boot_id']);
  }

  setForwardingBoot(bootId: string): void {
    this.#sql.clearForwarding.run();
    this.#sql.setForwarding.run(bootId);
  }

  #toEndpoint(row: Row): EndpointRecord {
    const id = String(row['id']);
    return {
      id,
      networkId: String(row['network_id']),
      containerId: String(row['container_id']),
      address: optionalNumber(row['address']),
      mac: optionalText(row['mac']),
      interface: optionalText(row['interface']),
      config: JSON.parse(String(row['config'])) as EndpointConfig,
      ports: this.#sql.portsOf.all(id).map(toPort),
    };
  }
}

const statements = {
  networks: 'SELECT * FROM network ORDER BY rowid',
  networkById: 'SELECT * FROM network WHERE id = ?',
  networkByName: 'SELECT * FROM network WHERE name = ?',
  insertNetwork: 'INSERT INTO network VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  updateNetwork:
    'UPDATE network SET bridge = ?, subnet = ?, prefix = ?, gateway = ?, config = ? WHERE id = ?',
  deleteNetwork: 'DELETE FROM network WHERE id = ?',
  cursor: 'SELECT last FROM address_cursor WHERE network_id = ?',
  setCursor:
    'INSERT INTO address_cursor VALUES (?, ?) ON CONFLICT (network_id) DO UPDATE SET last = excluded.last',
  addressTaken: 'SELECT 1 FROM endpoint WHERE network_id = ? AND address = ?',
  endpoint: 'SELECT * FROM endpoint WHERE network_id = ? AND container_id = ?',
  endpointsOf: 'SELECT * FROM endpoint WHERE container_id = ? ORDER BY rowid',
  endpointsIn: 'SELECT * FROM endpoint WHERE network_id = ? ORDER BY rowid',
  endpoints: 'SELECT * FROM endpoint ORDER BY rowid',
  insertEndpoint: 'INSERT INTO endpoint VALUES (?, ?, ?, ?, ?, ?, ?)',
  deleteEndpoint: 'DELETE FROM endpoint WHERE id = ?',
  portsOf:
    'SELECT * FROM published_port WHERE endpoint_id = ? ORDER BY container_port, protocol, host_ip, host_port',
  insertPort: 'INSERT INTO published_port VALUES (?, ?, ?, ?, ?)',
  deletePort: 'DELETE FROM published_port WHERE protocol = ? AND host_port = ? AND host_ip = ?',
  portInConflict: `SELECT * FROM published_port
    WHERE protocol = ? AND host_port = ? AND (host_ip = ? OR host_ip = '0.0.0.0' OR ? = '0.0.0.0') LIMIT 1`,
  forwarding: 'SELECT boot_id FROM forwarding',
  clearForwarding: 'DELETE FROM forwarding',
  setForwarding: 'INSERT INTO forwarding VALUES (?)',
} as const;

function toNetwork(row: Row): NetworkRecord {
  const link = optionalText(row['bridge']);
  return {
    id: String(row['id']),
    name: String(row['name']),
    driver: String(row['driver']) as NetworkDriver,
    created: String(row['created']),
    bridge:
      link === undefined
        ? undefined
        : {
            link,
            subnet: { base: Number(row['subnet']), prefix: Number(row['prefix']) },
            gateway: optionalNumber(row['gateway']),
          },
    config: JSON.parse(String(row['config'])) as NetworkConfig,
  };
}

function toPort(row: Row): PublishedPort {
  return {
    protocol: String(row['protocol']) as Protocol,
    containerPort: Number(row['container_port']),
    hostIp: String(row['host_ip']),
    hostPort: Number(row['host_port']),
  };
}

function optionalNumber(value: unknown): number | undefined {
  return value === null || value === undefined ? undefined : Number(value);
}

function optionalText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
