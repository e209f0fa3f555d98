import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Endpoint, parseEndpoint, type TlsOptions } from '#/client/endpoint.ts';
import { boolFlag, type FlagsFor, listFlag, stringFlag } from './flags/flag.ts';

/** Values of the flags before the command. */
export interface GlobalValues {
  readonly config: string;
  readonly context: string;
  readonly debug: boolean;
  readonly host: readonly string[];
  readonly 'log-level': string;
  readonly tls: boolean;
  readonly tlscacert: string;
  readonly tlscert: string;
  readonly tlskey: string;
  readonly tlsverify: boolean;
  readonly version: boolean;
}

/** The flags before the command. */
export const globalFlags: FlagsFor<GlobalValues> = {
  config: stringFlag('Folder of the client configuration files (default "~/.docker")'),
  context: stringFlag('Only "default" is known; use --host instead', { short: 'c' }),
  debug: boolFlag('Show where an unexpected error comes from', { short: 'D' }),
  host: listFlag('Address of the daemon: unix:///path or tcp://host:port', { short: 'H' }),
  'log-level': stringFlag('Accepted for compatibility', { short: 'l', initial: 'info' }),
  tls: boolFlag('Use TLS; --tlsverify implies it'),
  tlscacert: stringFlag('Trust only what this CA has signed (default "ca.pem" in --config)'),
  tlscert: stringFlag('Own certificate (default "cert.pem" in --config)'),
  tlskey: stringFlag('Key of the own certificate (default "key.pem" in --config)'),
  tlsverify: boolFlag('Use TLS and verify the daemon'),
  version: boolFlag('Show the version and quit', { short: 'v' }),
};

type Env = Readonly<Record<string, string | undefined>>;

/** The folder of the client configuration. */
export function configFolder(flags: GlobalValues, env: Env): string {
  if (flags.config !== '') return flags.config;
  return env['DOCKER_CONFIG'] || join(env['HOME'] ?? '/', '.docker');
}

/** The daemon to talk to: --host, SKIFF_HOST, DOCKER_HOST, else the default socket. */
export function chooseEndpoint(flags: GlobalValues, env: Env): Endpoint {
  if (flags.host.length > 1) throw new Error('specify only one -H');
  if (flags.context !== '' && flags.context !== 'default') {
    throw new Error(
      `context ${JSON.stringify(flags.context)}: contexts do not exist here; use --host or SKIFF_HOST`,
    );
  }
  const host = flags.host[0] ?? (env['SKIFF_HOST'] || env['DOCKER_HOST']) ?? '';
  return parseEndpoint(host, tlsOptions(flags, env));
}

function tlsOptions(flags: GlobalValues, env: Env): TlsOptions | undefined {
  const verify = flags.tlsverify || Boolean(env['DOCKER_TLS_VERIFY']);
  if (!verify && !flags.tls && !env['DOCKER_TLS']) return undefined;
  const folder = env['DOCKER_CERT_PATH'] || configFolder(flags, env);
  const read = (given: string, name: string): string | undefined => {
    if (given !== '') return readFileSync(given, 'utf8');
    try {
      return readFileSync(join(folder, name), 'utf8');
    } catch (error) {
      if (verify && name === 'ca.pem') throw error;
      return undefined;
    }
  };
  const [ca, cert, key] = [
    read(flags.tlscacert, 'ca.pem'),
    read(flags.tlscert, 'cert.pem'),
    read(flags.tlskey, 'key.pem'),
  ];
  return {
    verify,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
}
