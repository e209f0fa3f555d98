import { createHash } from 'node:crypto';
import { skiffVersion } from '#/base/version.ts';
import type { Attestation } from '../export/documents.ts';
import type { InstalledPackage } from './sbom/package.ts';
import { type Inventory, shownPath } from './sbom/scan.ts';
import { type Subject, statement } from './statement.ts';

const predicateType = 'https://spdx.dev/Document';

/** What is installed, as a document of SPDX 2.3 (spdx.github.io/spdx-spec/v2.3) about the subjects. */
export function sbom(
  subjects: readonly Subject[],
  { inventory, name, created }: { inventory: Inventory; name: string; created: Date },
): Attestation {
  return statement(subjects, { type: predicateType, members: spdxDocument({ inventory, name, created }) });
}

/** The document itself. The same inventory, name and time give the same document. */
function spdxDocument({
  inventory,
  name,
  created,
}: {
  inventory: Inventory;
  name: string;
  created: Date;
}): object {
  const root = 'SPDXRef-DocumentRoot';
  const packages = inventory.packages.map((one, index) => packageMembers(one, { inventory, index }));
  const identity = createHash('sha256')
    .update(JSON.stringify([name, created, packages]))
    .digest('hex');
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name,
    documentNamespace: `urn:skiff:spdx:sha256:${identity}`,
    creationInfo: {
      created: created.toISOString().replace(/\.\d+Z$/, 'Z'),
      creators: [`Tool: skiff-${skiffVersion}`],
    },
    packages: [{ ...unknownMembers, SPDXID: root, name, primaryPackagePurpose: 'CONTAINER' }, ...packages],
    relationships: [
      relationship('SPDXRef-DOCUMENT', 'DESCRIBES', root),
      ...packages.map(({ SPDXID }) => relationship(root, 'CONTAINS', SPDXID)),
    ],
  };
}

const unknownMembers = {
  downloadLocation: 'NOASSERTION',
  filesAnalyzed: false,
  licenseConcluded: 'NOASSERTION',
  licenseDeclared: 'NOASSERTION',
  copyrightText: 'NOASSERTION',
};

/** The members of SPDX's "Package Information" that are written. */
interface SpdxPackage {
  readonly SPDXID: string;
  readonly name: string;
  readonly versionInfo: string;
  readonly licenseDeclared: string;
  readonly sourceInfo: string;
  readonly externalRefs: readonly object[];
}

function packageMembers(
  one: InstalledPackage,
  { inventory, index }: { inventory: Inventory; index: number },
): SpdxPackage {
  return {
    ...unknownMembers,
    SPDXID: `SPDXRef-Package-${one.kind}-${index + 1}`,
    name: one.name,
    versionInfo: one.version,
    licenseDeclared: isExpression(one.license) ? one.license : 'NOASSERTION',
    sourceInfo: `found in /${shownPath(one.location)}`,
    externalRefs: [
      {
        referenceCategory: 'PACKAGE-MANAGER',
        referenceType: 'purl',
        referenceLocator: packageUrl(one, inventory),
      },
    ],
  };
}

function relationship(from: string, kind: string, to: string): object {
  return { spdxElementId: from, relationshipType: kind, relatedSpdxElement: to };
}

/** The grammar of SPDX's license expressions, without a look whether its names are known. */
function isExpression(license: string): boolean {
  return /^\(*[A-Za-z0-9][A-Za-z0-9.+-]*\)*(?: (?:AND|OR|WITH) \(*[A-Za-z0-9][A-Za-z0-9.+-]*\)*)*$/.test(
    license,
  );
}

/** `pkg:deb/debian/curl@7.88.1-10?arch=amd64&distro=debian-12` (github.com/package-url/purl-spec). */
function packageUrl(one: InstalledPackage, { distribution, release }: Inventory): string {
  const isSystem = one.kind === 'deb' || one.kind === 'apk';
  const vendor = distribution === '' ? (one.kind === 'deb' ? 'debian' : 'alpine') : distribution;
  const name = one.kind === 'pypi' ? one.name.toLowerCase().replaceAll('_', '-') : one.name;
  const path = (isSystem ? [vendor, name] : name.split('/')).map(encodePart).join('/');
  const query: string[] = [];
  if (one.architecture !== '') query.push(`arch=${encodePart(one.architecture)}`);
  if (isSystem && distribution !== '') {
    query.push(`distro=${encodePart(release === '' ? distribution : `${distribution}-${release}`)}`);
  }
  return `pkg:${one.kind}/${path}@${encodePart(one.version)}${query.length === 0 ? '' : `?${query.join('&')}`}`;
}

function encodePart(text: string): string {
  return encodeURIComponent(text).replaceAll('%3A', ':');
}
