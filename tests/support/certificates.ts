import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import type { ScratchDir } from './scratch-dir.ts';

/** A certificate with its key, in PEM. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

/** An authority of a test, made by openssl. */
export interface Authority extends CertificatePair {
  /** A certificate for a name of a server (`DNS:reg.test`, `IP:127.0.0.1`) or for a client (`DNS:someone`). */
  issue(name: string, options?: { days?: number }): CertificatePair;
}

/** Makes an authority whose files are in `dir`. */
export function makeAuthority(dir: ScratchDir, name = 'authority'): Authority {
  const file = (ending: string): string => dir.join(`${name}.${ending}`);
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const openssl = (...args: readonly string[]): unknown =>
    execFileSync('openssl', [...args], { stdio: 'pipe' });
  openssl(
    'req',
    '-x509',
    ...curve,
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    file('key'),
    '-out',
    file('crt'),
  );
  let count = 0;
  return {
    cert: readFileSync(file('crt'), 'utf8'),
    key: readFileSync(file('key'), 'utf8'),
    issue: (subject, { days = 2 } = {}) => {
      count += 1;
      const [key, request, cert, extensions] = ['key', 'csr', 'crt', 'ext'].map((ending) =>
        file(`${count}.${ending}`),
      );
      writeFileSync(extensions ?? '', `subjectAltName=${subject}\n`);
      openssl('req', '-new', ...curve, '-subj', `/CN=${count}`, '-keyout', key ?? '', '-out', request ?? '');
      const signed = ['-CA', file('crt'), '-CAkey', file('key'), '-CAcreateserial', '-days', String(days)];
      openssl(
        'x509',
        '-req',
        '-in',
        request ?? '',
        ...signed,
        '-extfile',
        extensions ?? '',
        '-out',
        cert ?? '',
      );
      return { cert: readFileSync(cert ?? '', 'utf8'), key: readFileSync(key ?? '', 'utf8') };
    },
  };
}
