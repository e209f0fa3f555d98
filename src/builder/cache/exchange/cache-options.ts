import { invalid, notImplemented } from '#/base/errors.ts';
import { canonicalString, parseReference, type Reference, withDefaultTag } from '#/oci/reference.ts';
import { readFlag } from '../../export/flags.ts';
import { type PackOptions, readImageOptions } from '../../export/image-options.ts';
import type { CacheLocation } from '../../request.ts';

/** Where cache goes. */
export type CacheTarget =
  | { readonly kind: 'inline' }
  | (TargetOptions & RegistryPlace)
  | (TargetOptions & { readonly kind: 'local'; readonly location: CacheLocation });

/** Where cache is in a registry. */
export interface RegistryPlace {
  readonly kind: 'registry';
  readonly reference: Reference;
  /** Without TLS, or with a certificate that nobody vouches for. */
  readonly isInsecure: boolean;
}

interface TargetOptions {
  /** `min`: only what the result is made of; `max`: all steps. */
  readonly mode: 'min' | 'max';
  readonly pack: PackOptions;
  /** A failure does not fail the build. */
  readonly ignoreError: boolean;
}

/** Where cache comes from. */
export type CacheOrigin =
  | (RegistryPlace & { readonly name: string })
  | {
      readonly kind: 'local';
      readonly location: CacheLocation;
      readonly digest: string;
      readonly name: string;
    };

/** Reads a `--cache-to`. Throws `invalid`. */
export function readCacheTarget(location: CacheLocation): CacheTarget {
  const { type, attributes } = location;
  if (type === 'inline') return { kind: 'inline' };
  const mode = attributes.get('mode') ?? 'min';
  if (mode !== 'min' && mode !== 'max')
    throw invalid(`invalid mode ${JSON.stringify(mode)} of a cache export`);
  const ignoreError = ['', '1', 'true'].includes(attributes.get('ignore-error') ?? 'false');
  const options = { mode, pack: readImageOptions(attributes).pack, ignoreError } as const;
  if (type === 'registry') return { ...placeOf(location), ...options };
  if (type === 'local') return { kind: 'local', location, ...options };
  throw unknownType(type, 'exporter');
}

/** Reads a `--cache-from`. Throws `invalid`. */
export function readCacheOrigin(location: CacheLocation): CacheOrigin {
  const { type, attributes } = location;
  if (type === 'registry') {
    const place = placeOf(location);
    return { ...place, name: canonicalString(place.reference) };
  }
  if (type === 'local') {
    const digest = attributes.get('digest') ?? '';
    if (digest === '') throw invalid('local cache importer requires digest');
    return { kind: 'local', location, digest, name: attributes.get('src') ?? digest };
  }
  throw unknownType(type, 'importer');
}

function placeOf({ type, attributes }: CacheLocation): RegistryPlace {
  const text = attributes.get('ref') ?? '';
  if (text === '') throw invalid(`cache of type ${type} needs ref=NAME`);
  const isInsecure = readFlag(attributes, 'registry.insecure') ?? false;
  return { kind: 'registry', reference: withDefaultTag(parseReference(text)), isInsecure };
}

function unknownType(type: string, what: 'importer' | 'exporter'): Error {
  if (['gha', 's3', 'azblob'].includes(type)) {
    return notImplemented(`cache of type ${type} is not implemented; use registry, local or inline`);
  }
  return invalid(`unknown cache ${what}: ${JSON.stringify(type)}`);
}
