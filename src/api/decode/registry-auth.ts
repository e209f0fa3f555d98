import { invalid, messageOf } from '#/base/errors.ts';
import type { Credentials } from '#/distribution/credentials.ts';
import type { AuthConfig } from '#/wire/registry.ts';
import type { Call } from '../call.ts';
import { DecodeError, type Decoder, string, struct } from './json.ts';

/** Longer than any token that a registry gives out. Characters of base64. */
const maxHeader = 64 * 1024;

/** An `AuthConfig` from outside; absent members are empty. */
export const authConfig: Decoder<Required<AuthConfig>> = struct('registry.AuthConfig', {
  username: string,
  password: string,
  auth: string,
  serveraddress: string,
  identitytoken: string,
  registrytoken: string,
});

/**
 * Who a request wants to be for a registry, from the header `X-Registry-Auth`. A header that cannot be read counts as
 * none, as for Docker; the log says so, without a word of what was in it.
 */
export function credentialsOf(call: Call): Credentials {
  const header = call.request.headers['x-registry-auth'];
  if (typeof header !== 'string' || header === '') return { kind: 'anonymous' };
  try {
    return toCredentials(decodeAuthHeader(header));
  } catch (error) {
    call.log.warn('ignored a header X-Registry-Auth', { reason: messageOf(error) });
    return { kind: 'anonymous' };
  }
}

/** One JSON document in base64url, and nothing after it. Throws `invalid`, never with a part of the content. */
export function decodeAuthHeader(header: string): Required<AuthConfig> {
  return decodeSecretHeader(header, { name: 'X-Registry-Auth', maxLength: maxHeader, decoder: authConfig });
}

/** What a header with secrets in it must be. */
interface SecretHeader<T> {
  readonly name: string;
  /** Characters of base64. */
  readonly maxLength: number;
  readonly decoder: Decoder<T>;
}

/** The value of a header that holds one JSON document in base64url. Throws `invalid`, never with a part of the content. */
export function decodeSecretHeader<T>(header: string, { name, maxLength, decoder }: SecretHeader<T>): T {
  if (header.length > maxLength) throw invalid(`${name} has more than ${maxLength} characters`);
  if (!/^[A-Za-z0-9_-]*={0,2}$/.test(header)) throw invalid(`${name} is not base64url`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(header, 'base64url')));
  } catch {
    // The reason that the parser gives quotes the text, which can be a password.
    throw invalid(`${name} does not hold one JSON document`);
  }
  try {
    return decoder(value, '');
  } catch (error) {
    if (error instanceof DecodeError) throw invalid(`${name}: ${error.message}`);
    throw error;
  }
}

/** The strongest of what an `AuthConfig` has: a token of either kind before a name and password. */
export function toCredentials(config: Required<AuthConfig>): Credentials {
  if (config.registrytoken !== '') return { kind: 'registryToken', token: config.registrytoken };
  const { username, password } = config.auth === '' ? config : splitAuth(config.auth, config);
  if (config.identitytoken !== '') {
    return { kind: 'identityToken', token: config.identitytoken, ...(username === '' ? {} : { username }) };
  }
  return username === '' && password === '' ? { kind: 'anonymous' } : { kind: 'basic', username, password };
}

/** `auth` stands for a name and password that are not given by themselves. */
function splitAuth(
  auth: string,
  { username, password }: { username: string; password: string },
): { username: string; password: string } {
  if (username !== '' || password !== '') return { username, password };
  const text = Buffer.from(auth, 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 0
    ? { username, password }
    : { username: text.slice(0, colon), password: text.slice(colon + 1) };
}
