import type { Section } from './section.ts';

/** The key `storage`: where blobs and their metadata are. */
export type StorageConfig =
  /** In the data folder. */
  { readonly kind: 'filesystem' } | { readonly kind: 's3'; readonly s3: S3Config };

/** A bucket. */
export interface S3Config {
  readonly bucket: string;
  readonly region: string;
  /** Of the service; the bucket is in the path or in front of the host. */
  readonly endpoint: URL;
  readonly pathStyle: boolean;
  /** In front of all keys: empty, or ends with a slash. */
  readonly prefix: string;
  readonly credentials: S3CredentialsConfig;
  /** Clients get blobs from the bucket by themselves, at URLs that are signed for some minutes. */
  readonly redirect: boolean;
  /** Bytes of one part of an upload. */
  readonly partSize: number;
}

/** Where the keys of the bucket come from; with `environment` AWS's usual variables and `~/.aws/credentials`. */
export type S3CredentialsConfig =
  | { readonly kind: 'environment' }
  | { readonly kind: 'file'; readonly path: string; readonly profile: string }
  | {
      readonly kind: 'keys';
      readonly accessKeyId: string;
      readonly secretAccessKey: string;
      readonly sessionToken: string | undefined;
    };

const mebibyte = 1024 * 1024;

/** Reads the key `storage`. */
export function readStorage(root: Section): StorageConfig {
  const storage = root.section('storage', (section): StorageConfig => {
    const kind = section.choice('kind', ['filesystem', 's3']) ?? section.fail('kind', 'is missing');
    if (kind === 'filesystem') return { kind };
    return Object.freeze({ kind, s3: readS3(section) });
  });
  return Object.freeze(storage ?? { kind: 'filesystem' });
}

function readS3(section: Section): S3Config {
  const bucket = section.requiredText('bucket');
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
    throw section.refuse('bucket', `${JSON.stringify(bucket)} is no name of a bucket`);
  }
  const region = section.text('region') ?? 'us-east-1';
  if (!/^[a-z0-9-]{1,40}$/i.test(region))
    throw section.refuse('region', `${JSON.stringify(region)} is no region`);
  const given = section.url('endpoint', ['https:', 'http:']);
  const endpoint = given ?? new URL(`https://s3.${region}.amazonaws.com`);
  const prefix = section.text('prefix') ?? '';
  if (!/^(?:[\w.-]+\/)*[\w.-]*$/.test(prefix) || prefix.split('/').some((part) => /^\.\.?$/.test(part))) {
    throw section.refuse(
      'prefix',
      'must be names of letters, digits, "_", "-" and "." with slashes between them',
    );
  }
  return Object.freeze({
    bucket,
    region,
    endpoint,
    // Servers other than Amazon's seldom have a host for each bucket.
    pathStyle: section.toggle('pathStyle', given !== undefined),
    prefix: prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`,
    credentials: readCredentials(section),
    redirect: section.toggle('redirect', false),
    partSize: readPartSize(section),
  });
}

function readPartSize(section: Section): number {
  const size = section.bytes('partSize') ?? 16 * mebibyte;
  // "Amazon S3 multipart upload limits" in its user guide.
  if (size < 5 * mebibyte || size > 1024 * mebibyte) {
    throw section.refuse('partSize', 'must be from 5 MiB to 1 GiB');
  }
  return size;
}

function readCredentials(section: Section): S3CredentialsConfig {
  const path = section.path('credentialsFile');
  const profile = section.text('profile');
  const accessKeyId = section.text('accessKeyId');
  const secretAccessKey = section.text('secretAccessKey');
  const sessionToken = section.text('sessionToken');
  if (accessKeyId !== undefined || secretAccessKey !== undefined) {
    if (accessKeyId === undefined) throw section.refuse('accessKeyId', 'is missing beside secretAccessKey');
    if (secretAccessKey === undefined)
      throw section.refuse('secretAccessKey', 'is missing beside accessKeyId');
    if (path !== undefined) throw section.refuse('credentialsFile', 'say either this or the keys');
    return Object.freeze({ kind: 'keys', accessKeyId, secretAccessKey, sessionToken });
  }
  if (sessionToken !== undefined) throw section.refuse('sessionToken', 'is of no use without keys');
  if (path !== undefined) return Object.freeze({ kind: 'file', path, profile: profile ?? 'default' });
  if (profile !== undefined) throw section.refuse('profile', 'is of no use without credentialsFile');
  return Object.freeze({ kind: 'environment' });
}
