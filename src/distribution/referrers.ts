import { type Descriptor, readDescriptor } from '#/oci/descriptor.ts';
import { parseJson } from '#/oci/json.ts';
import { maxManifestBytes } from '#/oci/manifest.ts';

/** More of one manifest than anybody makes. */
export const maxReferrers = 10_000;

/** What refers to a manifest. */
export interface Referrer {
  readonly descriptor: Descriptor;
  /** Its `artifactType`. */
  readonly type: string | undefined;
}

/** Some of them, and where there are more. */
export interface ReferrersPage {
  readonly referrers: readonly Referrer[];
  readonly link: string | undefined;
}

/** Reads a list of referrers (distribution-spec, "Listing Referrers"). Throws `invalid`. */
export function referrersIn(bytes: Buffer): Referrer[] {
  const document = parseJson(bytes, { what: 'list of referrers', maxBytes: maxManifestBytes });
  return document.get('manifests').list(maxReferrers, (field) => ({
    descriptor: readDescriptor(field),
    type: field.get('artifactType').optional((member) => member.string()),
  }));
}
