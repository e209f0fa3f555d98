import { invalid } from '#/base/errors.ts';
import type { Output, OutputOptions } from '../request.ts';
import { readFlag } from './flags.ts';
import { readImageOptions } from './image-options.ts';

/** How files of results go out. */
export interface FileOptions {
  /** A folder for each platform; undefined: if there are several. */
  readonly platformSplit: boolean | undefined;
  /** What the names of files with attestations begin with. */
  readonly attestationPrefix: string;
}

/** How an image goes to registries. */
export interface PushOptions {
  /** No tag leads to it. */
  readonly byDigest: boolean;
  /** Without TLS, or with a certificate that nobody vouches for. */
  readonly isInsecure: boolean;
}

/** Reads what clients say of files, by BuildKit's names. Throws `invalid`. */
export function readFileOptions(options: OutputOptions): FileOptions {
  const attestationPrefix = options.get('attestation-prefix') ?? '';
  if (/[/\0]/.test(attestationPrefix) || attestationPrefix.length > 100)
    throw invalid(
      `invalid attestation-prefix ${JSON.stringify(attestationPrefix)}: it begins names of files`,
    );
  return { platformSplit: readFlag(options, 'platform-split'), attestationPrefix };
}

/** Reads what clients say of a push. Throws `invalid`. */
export function readPushOptions(options: OutputOptions): PushOptions {
  return {
    byDigest: readFlag(options, 'push-by-digest') ?? false,
    isInsecure: readFlag(options, 'registry.insecure') ?? false,
  };
}

/** Throws `invalid` for options that cannot be, before anything is built for an output. */
export function checkOutput(output: Output): void {
  switch (output.kind) {
    case 'cacheonly':
      return;
    case 'tar':
    case 'local':
      readFileOptions(output.options);
      return;
    case 'registry':
      readPushOptions(output.options);
      if (output.names.length === 0) throw invalid('tag is needed when pushing to registry');
      readImageOptions(output.options);
      return;
    case 'image':
    case 'docker':
    case 'oci':
      readImageOptions(output.options);
      return;
    default:
      output satisfies never;
  }
}
