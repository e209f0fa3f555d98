import type { ByteString } from '#/base/byte-string.ts';

/** Something that is installed in a file system. */
export interface InstalledPackage {
  readonly kind: 'deb' | 'apk' | 'npm' | 'pypi' | 'golang';
  readonly name: string;
  readonly version: string;
  /** As whoever made the package wrote it; empty if unknown. */
  readonly license: string;
  /** `amd64`, `x86_64`; empty if it has none or that is unknown. */
  readonly architecture: string;
  /** The file that says so, relative to the root. */
  readonly location: ByteString;
}

/** What a file says about packages; the scan adds where it is. */
export type FoundPackage = Omit<InstalledPackage, 'location'>;

/** Characters of a name, a version or a license: more than any real one, so that a hostile file cannot fill memory. */
const maxText = 500;

/** A package from a hostile file; undefined if it has no usable name and version. */
export function packageOf(
  kind: InstalledPackage['kind'],
  members: {
    name: string | undefined;
    version: string | undefined;
    license?: string | undefined;
    architecture?: string | undefined;
  },
): FoundPackage | undefined {
  const { license = '', architecture = '' } = members;
  const name = members.name?.trim() ?? '';
  const version = members.version?.trim() ?? '';
  const isUsable = (text: string): boolean =>
    text !== '' && text.length <= maxText && !/[\p{Cc}\p{Cs}\s]/u.test(text);
  if (!isUsable(name) || !isUsable(version)) return undefined;
  return {
    kind,
    name,
    version,
    license: license.length <= maxText ? license.trim() : '',
    architecture: isUsable(architecture) ? architecture : '',
  };
}
