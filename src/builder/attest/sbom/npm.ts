import { type Field, parseJson } from '#/oci/json.ts';
import { type FoundPackage, packageOf } from './package.ts';

const maxPackages = 100_000;

/** A `package.json` in a `node_modules`. Throws `invalid` for what is none. */
export function readPackageJson(bytes: Buffer): FoundPackage[] {
  const document = parseJson(bytes, { what: 'package.json', maxBytes: bytes.length });
  const found = packageOf('npm', {
    name: textOf(document.get('name')),
    version: textOf(document.get('version')),
    license: licenseOf(document.get('license')),
  });
  return found === undefined ? [] : [found];
}

/** A `package-lock.json` of npm, of versions 1 to 3. Throws `invalid` for what is none. */
export function readPackageLock(bytes: Buffer): FoundPackage[] {
  const document = parseJson(bytes, { what: 'package-lock.json', maxBytes: bytes.length });
  const packages = document.get('packages');
  const found: (FoundPackage | undefined)[] = [];
  if (packages.isPresent) {
    for (const [path, entry] of Object.entries(packages.record(maxPackages, (member) => member))) {
      const at = path.lastIndexOf('node_modules/');
      // What is not in a node_modules is the project itself, or a link to a part of it.
      if (at < 0) continue;
      const name = textOf(entry.get('name')) ?? path.slice(at + 'node_modules/'.length);
      found.push(
        packageOf('npm', {
          name,
          version: textOf(entry.get('version')),
          license: licenseOf(entry.get('license')),
        }),
      );
    }
  } else {
    addDependencies(document.get('dependencies'), found);
  }
  return found.filter((each) => each !== undefined);
}

/** Version 1: dependencies in dependencies; how deep is bounded by `parseJson`. */
function addDependencies(dependencies: Field, found: (FoundPackage | undefined)[]): void {
  if (!dependencies.isPresent || found.length > maxPackages) return;
  for (const [name, entry] of Object.entries(dependencies.record(maxPackages, (member) => member))) {
    found.push(packageOf('npm', { name, version: textOf(entry.get('version')) }));
    addDependencies(entry.get('dependencies'), found);
  }
}

/** Text, or nothing: packages have all sorts of things in the place of text. */
function textOf(field: Field): string | undefined {
  try {
    return field.optional((member) => member.string());
  } catch {
    return undefined;
  }
}

/** `"MIT"`, or in old packages `{"type": "MIT"}`. */
function licenseOf(field: Field): string | undefined {
  const text = textOf(field);
  if (text !== undefined || !field.isPresent) return text;
  try {
    return textOf(field.get('type'));
  } catch {
    return undefined;
  }
}
