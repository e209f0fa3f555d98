import type { AuthConfig } from '#/wire/registry.ts';
import type { ConfigDocument } from '../config-file.ts';

/** An entry of `auths` for credentials; without a name and a password it has no `auth`. */
export function storedAuth({
  username = '',
  password = '',
  identitytoken,
  registrytoken,
}: AuthConfig): ConfigDocument {
  const pair = Buffer.from(`${username}:${password}`).toString('base64');
  return {
    ...((username !== '' || password !== '') && { auth: pair }),
    ...(identitytoken && { identitytoken }),
    ...(registrytoken && { registrytoken }),
  };
}

/** The credentials of an entry of `auths`. Throws an Error that names the entry if its `auth` is not `name:password` in base64. */
export function readStoredAuth(server: string, entry: ConfigDocument): AuthConfig {
  const text = (name: string): string => (typeof entry[name] === 'string' ? entry[name] : '');
  const pair = text('auth') === '' ? { username: '', password: '' } : decodePair(server, text('auth'));
  return authConfig({
    username: pair.username || text('username'),
    password: pair.password || text('password'),
    serveraddress: server,
    identitytoken: text('identitytoken'),
    registrytoken: text('registrytoken'),
  });
}

/** Without what is empty, as it goes over the wire. */
export function authConfig(auth: AuthConfig): AuthConfig {
  return Object.fromEntries(Object.entries(auth).filter(([, value]) => value !== ''));
}

/** The name and the password of `auth`. Throws an Error that names the entry. */
export function decodePair(server: string, auth: string): { username: string; password: string } {
  const text = /^[A-Za-z0-9+/\s]*={0,2}$/.test(auth) ? Buffer.from(auth, 'base64').toString() : '';
  const at = text.indexOf(':');
  if (at <= 0) {
    throw new Error(
      `the "auth" of ${JSON.stringify(server)} is not a name and a password in base64: log in to it again`,
    );
  }
  // Some programs fill the password up with zeros.
  return { username: text.slice(0, at), password: text.slice(at + 1).replace(/^\0+|\0+$/g, '') };
}
