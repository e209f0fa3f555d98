import { type Descriptor, readDescriptor } from './descriptor.ts';
import { type Digest, isDigest } from './digest.ts';
import { parseJson } from './json.ts';
import { maxLayers, maxManifestBytes } from './manifest.ts';

/** With these annotations BuildKit marks what tells how another manifest of the index was made ("Attestation storage"). */
export const attestationAnnotations = {
  type: 'vnd.docker.reference.type',
  digest: 'vnd.docker.reference.digest',
} as const;
/** The value of the annotation `type`. */
export const attestationType = 'attestation-manifest';

/** The manifest that an attestation manifest is about, by the descriptor that leads to it; undefined if it is none. */
export function attestedBy({ annotations }: Descriptor): Digest | undefined {
  const subject = annotations?.[attestationAnnotations.digest];
  if (annotations?.[attestationAnnotations.type] !== attestationType) return undefined;
  return subject !== undefined && isDigest(subject) ? subject : undefined;
}

/** What an untrusted attestation manifest refers to: its configuration and its statements. */
export function attestationParts(bytes: Uint8Array): { config: Descriptor; statements: Descriptor[] } {
  const document = parseJson(bytes, { what: 'attestation manifest', maxBytes: maxManifestBytes });
  return {
    config: readDescriptor(document.get('config')),
    statements: document.get('layers').list(maxLayers, readDescriptor),
  };
}
