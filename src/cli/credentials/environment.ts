import { messageOf } from '#/base/errors.ts';
import type { AuthConfig } from '#/wire/registry.ts';
import type { Context } from '../command.ts';
import { isObject } from '../config-file.ts';
import { printNote } from '../notes.ts';
import { decodePair } from './stored-auth.ts';

/** The variable with credentials: `{"auths": {"host": {"auth": "base64 of name:password"}}}`, and nothing else. */
const authVariable = 'DOCKER_AUTH_CONFIG';

/** The credentials in the environment by registry. One who made a mistake in them is told, and they do not count. */
export function environmentAuths({
  env,
  stderr,
}: Pick<Context, 'env' | 'stderr'>): ReadonlyMap<string, AuthConfig> {
  const text = env[authVariable];
  if (!text) return new Map();
  try {
    return parseAuths(text);
  } catch (error) {
    stderr.write(`Failed to create credential store from ${authVariable}:  ${messageOf(error)}\n`);
    return new Map();
  }
}

/** Tells that logging in and out does not change what is used. */
export function warnOfAuthVariable({ env, stderr }: Pick<Context, 'env' | 'stderr'>): void {
  if (!env[authVariable]) return;
  const text = `${authVariable} is set and takes precedence.\nUnset ${authVariable} to restore the CLI auth behaviour.\n`;
  printNote(stderr, text, 'warning');
}

function parseAuths(text: string): Map<string, AuthConfig> {
  const parsed: unknown = JSON.parse(text);
  const { auths = {}, ...more } = isObject(parsed) ? parsed : { parsed };
  refuse(Object.keys(more));
  if (!isObject(auths)) throw new Error('"auths" must be an object');
  return new Map(
    Object.entries(auths).map(([server, entry]) => {
      const { auth, ...others } = isObject(entry) ? entry : {};
      refuse(Object.keys(others));
      if (typeof auth !== 'string' || auth === '') {
        throw new Error(`${authVariable} environment variable is missing key \`auth\` for ${server}`);
      }
      return [server, { ...decodePair(server, auth), serveraddress: server }];
    }),
  );
}

function refuse([unknown]: readonly string[]): void {
  if (unknown !== undefined) throw new Error(`json: unknown field ${JSON.stringify(unknown)}`);
}
