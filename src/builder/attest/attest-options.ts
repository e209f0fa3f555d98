import { invalid, notImplemented } from '#/base/errors.ts';
import type { BuildRequest } from '../request.ts';

/** How a provenance is wanted. */
export interface ProvenanceOptions {
  /** `min` leaves out what a build was given as arguments, and its steps. */
  readonly mode: 'min' | 'max';
  /** Of SLSA's form. */
  readonly version: 'v0.2' | 'v1';
  /** Who builds, as a URL. */
  readonly builderId: string;
  /** The client says that the same build gives the same result. */
  readonly reproducible: boolean;
  /** Not for outputs of files, which would have a file more. */
  readonly inlineOnly: boolean;
}

/** Which attestations are wanted. */
export interface AttestOptions {
  readonly provenance: ProvenanceOptions | undefined;
  readonly sbom: { readonly inlineOnly: boolean } | undefined;
}

/** Reads what clients say about attestations, by BuildKit's names. Throws `invalid` for what is unknown. */
export function readAttestOptions(attestations: BuildRequest['attestations']): AttestOptions {
  let provenance: ProvenanceOptions | undefined;
  let sbom: AttestOptions['sbom'];
  for (const [kind, text] of attestations) {
    const options = readPairs(text);
    if (isTrue(options.get('disabled'), 'disabled')) continue;
    if (kind === 'provenance') provenance = readProvenance(options);
    else if (kind === 'sbom') sbom = readSbom(options);
    else throw invalid(`unknown attestation type ${JSON.stringify(kind)}`);
  }
  return { provenance, sbom };
}

function readProvenance(options: ReadonlyMap<string, string>): ProvenanceOptions {
  const mode = options.get('mode') ?? 'min';
  if (mode !== 'min' && mode !== 'max' && mode !== 'full')
    throw invalid(`invalid mode ${JSON.stringify(mode)}`);
  const version = options.get('version') ?? 'v1';
  if (version === '') throw invalid('provenance SLSA version cannot be empty');
  if (version !== 'v1' && version !== 'v0.2') throw invalid(`invalid provenance SLSA version: ${version}`);
  return {
    mode: mode === 'min' ? mode : 'max',
    version,
    builderId: options.get('builder-id') ?? '',
    reproducible: isTrue(options.get('reproducible'), 'reproducible'),
    inlineOnly: isTrue(options.get('inline-only'), 'inline-only'),
  };
}

function readSbom(options: ReadonlyMap<string, string>): { inlineOnly: boolean } {
  const generator = options.get('generator');
  if (generator !== undefined && generator !== '') {
    throw notImplemented(`the generator ${JSON.stringify(generator)} of an SBOM: Skiff scans results itself`);
  }
  return { inlineOnly: isTrue(options.get('inline-only'), 'inline-only') };
}

/** `a=b,c=d`; quotes keep a comma. */
function readPairs(text: string): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const [field] of text.matchAll(/(?:"(?:[^"]|"")*"|[^,])+/g)) {
    const plain = field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field;
    const equals = plain.indexOf('=');
    if (equals < 0) pairs.set(plain.trim(), 'true');
    else pairs.set(plain.slice(0, equals).trim(), plain.slice(equals + 1));
  }
  return pairs;
}

function isTrue(text: string | undefined, name: string): boolean {
  if (text === undefined || ['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false;
  if (['', '1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
  throw invalid(`invalid boolean value ${JSON.stringify(text)} for ${name} of an attestation`);
}
