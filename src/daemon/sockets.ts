import { readFileSync } from 'node:fs';
import type { TlsOptions } from 'node:tls';
import { machineNames } from '#/api/guard.ts';
import type { ApiServer } from '#/api/server.ts';
import { invalid, messageOf } from '#/base/errors.ts';
import type { Logger } from '#/base/log.ts';
import { type ActivatedSocket, selectSockets } from './activation.ts';
import { type Host, isLoopback, parseHost } from './hosts.ts';
import { listening } from './listening.ts';
import { type Config, options } from './options.ts';
import { groupId, listenOnPath } from './unix-socket.ts';

/** Where Docker's clients look. */
const dockerSocketPath = '/var/run/docker.sock';

/** What listening depends on. */
export interface ListenOptions {
  readonly config: Config;
  /** What was said in so many words. */
  readonly given: Partial<Config>;
  readonly activated: readonly ActivatedSocket[];
  readonly log: Logger;
}

/** Opens every socket of the configuration. Throws `invalid` or a conflict that names the one at fault. */
export async function listen(api: ApiServer, options: ListenOptions): Promise<void> {
  const { config } = options;
  const hosts = config.hosts.map(parseHost);
  if (config.dockerSocket) hosts.push({ kind: 'unix', path: dockerSocketPath });
  const doors = hosts.map((host) => ({ host, door: prepare(host, options) }));
  for (const { host, door } of doors) await door(api, host);
}

type Open = (api: ApiServer, host: Host) => Promise<void>;

/** Finds out what is wrong with a host before the first socket is opened. */
function prepare(host: Host, options: ListenOptions): Open {
  switch (host.kind) {
    case 'unix': {
      const gid = socketGroup(options);
      return async (api) => {
        await listenOnPath(api.door(), host.path, gid);
        options.log.info('API listens', { address: `unix://${host.path}` });
      };
    }
    case 'fd': {
      const sockets = selectSockets(options.activated, host.name);
      return async (api) => {
        for (const { fd, name } of sockets) {
          const door = api.door();
          door.listen({ fd });
          await listening(door, `descriptor ${fd}`);
          options.log.info('API listens', { address: `fd://${fd}`, name });
        }
      };
    }
    case 'tcp':
      return prepareTcp(host, options);
    default:
      return host satisfies never;
  }
}

function prepareTcp(host: Extract<Host, { kind: 'tcp' }>, { config, given, log }: ListenOptions): Open {
  const tls = config.tls || config.tlsVerify ? tlsOptions(config) : undefined;
  const port = host.port === 0 ? (tls === undefined ? 2375 : 2376) : host.port;
  const address = `tcp://${host.address.includes(':') ? `[${host.address}]` : host.address}:${port}`;
  if (!config.tlsVerify && !isLoopback(host.address)) {
    const [missing, flag] =
      tls === undefined ? (['encryption', 'tls'] as const) : (['client certificates', 'tlsVerify'] as const);
    if (given[flag] !== false) {
      throw invalid(
        `refusing to serve the API on ${address} without ${missing}: whoever reaches it has root on this machine; use --tlsverify, or say --${options[flag].flag}=false if you mean it`,
      );
    }
    log.warn('the API is open to everybody who reaches it: they have root on this machine', { address });
  }
  return async (api) => {
    // A verified client certificate is proof enough. Everybody else could be a web page.
    const names = config.tlsVerify ? undefined : machineNames([host.address]);
    const door = api.door({
      ...(tls === undefined ? {} : { tls }),
      ...(names === undefined ? {} : { names }),
    });
    door.listen({ host: host.address, port });
    await listening(door, address);
    log.info('API listens', { address, tls: tls !== undefined, clientsVerified: config.tlsVerify });
  };
}

function tlsOptions({ tlsCert, tlsKey, tlsCaCert, tlsVerify }: Config): TlsOptions {
  const read = (option: string, path: string): Buffer => {
    try {
      return readFileSync(path);
    } catch (error) {
      throw invalid(`invalid TLS configuration: cannot read --${option}: ${messageOf(error)}`, error);
    }
  };
  return {
    cert: read('tlscert', tlsCert),
    key: read('tlskey', tlsKey),
    minVersion: 'TLSv1.2',
    ...(tlsVerify ? { ca: read('tlscacert', tlsCaCert), requestCert: true, rejectUnauthorized: true } : {}),
  };
}

/** Group of the Unix sockets; root's if the default one does not exist here. */
function socketGroup({ config, log }: ListenOptions): number {
  const gid = groupId(config.group);
  if (gid !== undefined) return gid;
  if (config.group !== 'docker') throw invalid(`the group ${JSON.stringify(config.group)} does not exist`);
  log.info('there is no group "docker": only root can use the API');
  return 0;
}
