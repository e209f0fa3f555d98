import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getCACertificates, rootCertificates } from 'node:tls';
import { invalid, isSystemError } from '#/base/errors.ts';

/** How TLS with one host is done. */
export interface TlsSettings {
  /** Check the host's certificate. */
  readonly verify: boolean;
  /** Authorities in PEM, all that are trusted. */
  readonly ca: readonly string[];
  /** Certificates and keys of ours in PEM, in pairs. */
  readonly cert?: readonly string[];
  readonly key?: readonly string[];
}

let systemRoots: readonly string[] | undefined;

/** The authorities that this machine trusts; those of the runtime where the machine has none. */
function trustedRoots(): readonly string[] {
  if (systemRoots === undefined) {
    const own = typeof getCACertificates === 'function' ? getCACertificates('system') : [];
    // Machines keep the same authorities in several places.
    systemRoots = [...new Set(own.length > 0 ? own : rootCertificates)];
  }
  return systemRoots;
}

/**
 * What a folder like Docker's `certs.d/HOST:PORT` says: `*.crt` are further authorities, `NAME.cert` and `NAME.key` are our
 * certificates. The first of `directories` that has a folder for the host counts. Throws `invalid` for half a pair.
 */
export async function loadCertificates(
  host: string,
  directories: readonly string[],
): Promise<Omit<TlsSettings, 'verify'>> {
  // A host never has a slash; so the name cannot lead elsewhere.
  for (const folder of directories.map((directory) => join(directory, host))) {
    const names = await namesIn(folder);
    if (names === undefined) continue;
    const read = (ending: string): Promise<string[]> =>
      Promise.all(
        names.filter((name) => name.endsWith(ending)).map((name) => readFile(join(folder, name), 'utf8')),
      );
    for (const [ending, other, advice] of [
      ['.cert', '.key', 'CA certificates must use the extension .crt'],
      ['.key', '.cert', 'certificates of clients use the extension .cert'],
    ] as const) {
      const lonely = names.find(
        (name) => name.endsWith(ending) && !names.includes(`${name.slice(0, -ending.length)}${other}`),
      );
      if (lonely !== undefined) {
        throw invalid(
          `missing ${lonely.slice(0, -ending.length)}${other} for ${lonely} in ${folder}. Note that ${advice}`,
        );
      }
    }
    const [authorities, cert, key] = await Promise.all([read('.crt'), read('.cert'), read('.key')]);
    return { ca: [...trustedRoots(), ...authorities], ...(cert.length > 0 && { cert, key }) };
  }
  return { ca: trustedRoots() };
}

async function namesIn(folder: string): Promise<string[] | undefined> {
  try {
    return (await readdir(folder)).toSorted();
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}
