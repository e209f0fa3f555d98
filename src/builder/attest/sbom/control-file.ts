import { type FoundPackage, packageOf } from './package.ts';

/** dpkg's `status`: paragraphs of `Name: value`, values continued by lines that begin with a space (deb822). */
export function readDpkgStatus(text: string): FoundPackage[] {
  return paragraphs(text).flatMap((fields) => {
    const status = fields.get('status');
    // Removed packages whose configuration is still there are listed, too. Files of distroless images have no status.
    if (status !== undefined && !status.endsWith(' installed')) return [];
    return listOf(
      packageOf('deb', {
        name: fields.get('package'),
        version: fields.get('version'),
        architecture: fields.get('architecture'),
      }),
    );
  });
}

/** apk's `installed`: paragraphs of `P:name`, one letter each. */
export function readApkInstalled(text: string): FoundPackage[] {
  return paragraphs(text).flatMap((fields) =>
    listOf(
      packageOf('apk', {
        name: fields.get('p'),
        version: fields.get('v'),
        license: fields.get('l'),
        architecture: fields.get('a'),
      }),
    ),
  );
}

/** Python's `METADATA` or `PKG-INFO` (PEP 314, PEP 566): the headers before the first blank line. */
export function readPythonMetadata(text: string): FoundPackage[] {
  const [fields = new Map<string, string>()] = paragraphs(text.split(/\r?\n\r?\n/, 1)[0] ?? '');
  const license = fields.get('license-expression') ?? fields.get('license');
  return listOf(packageOf('pypi', { name: fields.get('name'), version: fields.get('version'), license }));
}

/** The first value of each field by its name in lower case; in apk's case both cases mean different things, the first letter is the capital one. */
function paragraphs(text: string): Map<string, string>[] {
  const found: Map<string, string>[] = [];
  let fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (line.trim() === '') {
      if (fields.size > 0) found.push(fields);
      fields = new Map();
      continue;
    }
    const colon = line.indexOf(':');
    if (colon <= 0 || /^\s/.test(line)) continue;
    const name = line.slice(0, colon);
    // `p:` of apk (what it provides) is not `P:` (its name).
    const key = name.length === 1 && name === name.toLowerCase() ? `${name}-small` : name.toLowerCase();
    if (!fields.has(key)) fields.set(key, line.slice(colon + 1).trim());
  }
  if (fields.size > 0) found.push(fields);
  return found;
}

function listOf(found: FoundPackage | undefined): FoundPackage[] {
  return found === undefined ? [] : [found];
}
