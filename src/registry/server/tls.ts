import { readFileSync } from 'node:fs';
import { createSecureContext, type TlsOptions } from 'node:tls';
import { invalid, messageOf } from '#/base/errors.ts';
import type { TlsConfig } from './config/edges.ts';

/** The files of the key `tls`, read and checked. Throws `invalid` that names the key. */
export function tlsOptions({ cert, key, clientCa, minVersion }: TlsConfig): TlsOptions {
  const options: TlsOptions = {
    minVersion,
    cert: readPem('tls.cert', cert),
    key: readPem('tls.key', key),
    ...(clientCa === undefined
      ? {}
      : { ca: readPem('tls.clientCa', clientCa), requestCert: true, rejectUnauthorized: true }),
  };
  try {
    createSecureContext(options);
  } catch (error) {
    throw invalid(`tls: the certificate and the key cannot be used: ${messageOf(error)}`, error);
  }
  return options;
}

function readPem(name: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw invalid(`${name}: ${messageOf(error)}`, error);
  }
}
