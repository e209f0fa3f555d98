import type { Migration } from '../migrations.ts';

/**
 * Networks, the endpoints of running containers in them, and the host ports that lead there. A row exists before the
 * link, address, socket or rule that it stands for, so whatever a killed daemon leaves behind has an owner or none.
 *
 * Addresses are unsigned 32-bit numbers. A network without a subnet (host, none) gives no addresses.
 * `address_cursor.last` is the address handed out last: addresses are reused as late as possible.
 * `forwarding` has a row if Skiff switched IPv4 forwarding on, and in which boot.
 */
export const migration: Migration = {
  name: '0003-network',
  sql: `
    CREATE TABLE network (
      id TEXT PRIMARY KEY CHECK (length(id) = 64),
      name TEXT NOT NULL UNIQUE CHECK (name <> ''),
      driver TEXT NOT NULL CHECK (driver IN ('bridge', 'host', 'null')),
      created TEXT NOT NULL,
      bridge TEXT UNIQUE CHECK (length(bridge) BETWEEN 1 AND 15),
      subnet INTEGER CHECK (subnet BETWEEN 0 AND 4294967295),
      prefix INTEGER CHECK (prefix BETWEEN 0 AND 32),
      gateway INTEGER CHECK (gateway BETWEEN 0 AND 4294967295),
      config TEXT NOT NULL CHECK (json_valid(config)),
      CHECK ((driver = 'bridge') = (bridge IS NOT NULL)),
      CHECK ((driver = 'bridge') = (subnet IS NOT NULL AND prefix IS NOT NULL))
    ) STRICT;

    CREATE TABLE address_cursor (
      network_id TEXT PRIMARY KEY REFERENCES network (id) ON DELETE CASCADE,
      last INTEGER NOT NULL CHECK (last BETWEEN 0 AND 4294967295)
    ) STRICT;

    CREATE TABLE endpoint (
      id TEXT PRIMARY KEY CHECK (length(id) = 64),
      network_id TEXT NOT NULL REFERENCES network (id),
      container_id TEXT NOT NULL,
      address INTEGER CHECK (address BETWEEN 0 AND 4294967295),
      mac TEXT,
      interface TEXT,
      config TEXT NOT NULL CHECK (json_valid(config)),
      UNIQUE (network_id, container_id),
      UNIQUE (network_id, address),
      UNIQUE (container_id, interface)
    ) STRICT;

    CREATE TABLE published_port (
      endpoint_id TEXT NOT NULL REFERENCES endpoint (id) ON DELETE CASCADE,
      protocol TEXT NOT NULL CHECK (protocol IN ('tcp', 'udp', 'sctp')),
      host_ip TEXT NOT NULL,
      host_port INTEGER NOT NULL CHECK (host_port BETWEEN 1 AND 65535),
      container_port INTEGER NOT NULL CHECK (container_port BETWEEN 1 AND 65535),
      PRIMARY KEY (host_port, protocol, host_ip)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX published_port_endpoint ON published_port (endpoint_id);

    CREATE TABLE forwarding (
      boot_id TEXT PRIMARY KEY
    ) STRICT;
  `,
};
