import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { invalid, isSystemError, messageOf } from '#/base/errors.ts';
import type { S3CredentialsConfig } from '../../config/storage.ts';

/** Keys of an account. */
export interface S3Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The keys for a bucket; those of a file are read again when it has changed, since they are often good for hours only. */
export class S3Credentials {
  readonly #file: { readonly path: string; readonly profile: string } | undefined;
  #keys: S3Keys;
  #modified = 0;

  /** Throws `invalid` if there are no keys. */
  constructor(config: S3CredentialsConfig, environment: Environment = process.env) {
    const found = locate(config, environment);
    if ('accessKeyId' in found) {
      this.#file = undefined;
      this.#keys = found;
    } else {
      this.#file = found;
      this.#modified = modifiedAt(found.path);
      this.#keys = readKeys(found);
    }
  }

  /** The keys of now. */
  get keys(): S3Keys {
    const file = this.#file;
    if (file === undefined) return this.#keys;
    const modified = modifiedAt(file.path);
    if (modified !== this.#modified) {
      this.#keys = readKeys(file);
      this.#modified = modified;
    }
    return this.#keys;
  }
}

function locate(
  config: S3CredentialsConfig,
  environment: Environment,
): S3Keys | { readonly path: string; readonly profile: string } {
  if (config.kind === 'keys') return config;
  if (config.kind === 'file') return config;
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = environment;
  if (accessKeyId && secretAccessKey) {
    return { accessKeyId, secretAccessKey, sessionToken: environment['AWS_SESSION_TOKEN'] || undefined };
  }
  const path = environment['AWS_SHARED_CREDENTIALS_FILE'] ?? join(homedir(), '.aws', 'credentials');
  return { path, profile: environment['AWS_PROFILE'] ?? 'default' };
}

function modifiedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function readKeys({ path, profile }: { path: string; profile: string }): S3Keys {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) {
      throw invalid(
        `storage: there are no keys for the bucket: neither in the configuration, nor in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, nor in ${JSON.stringify(path)}`,
        error,
      );
    }
    throw invalid(`storage.credentialsFile: ${messageOf(error)}`, error);
  }
  const keys = parseCredentials(text, profile);
  if (keys === undefined) {
    throw invalid(
      `storage.credentialsFile: ${JSON.stringify(path)} has no keys for the profile ${JSON.stringify(profile)}`,
    );
  }
  return keys;
}

/** The keys of a profile in a file as AWS's tools have it: `[profile]`, then `name = value`. */
export function parseCredentials(text: string, profile: string): S3Keys | undefined {
  const values = new Map<string, string>();
  let section: string | undefined;
  for (const line of text.split(/\r?\n/)) {
    const head = /^\s*\[\s*(?:profile\s+)?([^\]]+?)\s*\]/.exec(line);
    if (head !== null) section = head[1];
    const [, name, value] = /^\s*([a-z_]+)\s*=\s*(\S+)\s*$/i.exec(line) ?? [];
    if (section === profile && name !== undefined && value !== undefined)
      values.set(name.toLowerCase(), value);
  }
  const accessKeyId = values.get('aws_access_key_id');
  const secretAccessKey = values.get('aws_secret_access_key');
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return { accessKeyId, secretAccessKey, sessionToken: values.get('aws_session_token') };
}
