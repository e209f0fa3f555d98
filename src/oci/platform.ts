import { invalid } from '#/base/errors.ts';
import { Field } from './json.ts';

/** What an image was built for (image-spec, image-index.md, `platform`). */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string;
  readonly osVersion: string;
}

const architectures: Readonly<Record<string, readonly [architecture: string, variant: string]>> = {
  i386: ['386', ''],
  x86_64: ['amd64', ''],
  'x86-64': ['amd64', ''],
  aarch64: ['arm64', ''],
  armhf: ['arm', 'v7'],
  armel: ['arm', 'v6'],
};

const knownArchitectures: ReadonlySet<string> = new Set(
  '386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc ppc64 ppc64le riscv riscv64 s390x sparc64 wasm'.split(
    ' ',
  ),
);

const knownOses: ReadonlySet<string> = new Set(
  'aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris windows zos'.split(
    ' ',
  ),
);

/** The machine that Skiff runs on. */
export function hostPlatform(arch: string = process.arch): Platform {
  const goNames: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };
  return normalizePlatform({ os: 'linux', architecture: goNames[arch] ?? arch, variant: '', osVersion: '' });
}

/** One spelling for each platform: `x86_64` becomes `amd64`, `arm64/v8` `arm64`, `arm` `arm/v7`. */
export function normalizePlatform(platform: Platform): Platform {
  const lower = platform.architecture.toLowerCase();
  const known = Object.hasOwn(architectures, lower) ? architectures[lower] : undefined;
  const [architecture, impliedVariant] = known ?? [lower, ''];
  const os = platform.os.toLowerCase() === 'macos' ? 'darwin' : platform.os.toLowerCase();
  const variant = normalizeVariant(architecture, platform.variant.toLowerCase() || impliedVariant);
  return { os, architecture, variant, osVersion: platform.osVersion };
}

/** A system, perhaps with its version and features: `windows(10.0.17763+win32k)`. */
const systemPattern = /^([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.%-]*)((?:\+[A-Za-z0-9_.%-]+)*)\))?$/;

/** Reads `os`, `os/arch` or `os/arch/variant`, or an architecture alone; what is missing is the host's. */
export function parsePlatform(text: string): Platform {
  const parts = text.split('/');
  if (parts.length > 3) throw invalid(`"${text}": cannot parse platform specifier: invalid argument`);
  const [system = ''] = parts;
  const [whole, first = '', osVersion = ''] = systemPattern.exec(system) ?? [];
  if (whole === undefined) {
    throw invalid(
      `"${system}" is an invalid OS component of "${text}": OSAndVersion specifier component must match ${JSON.stringify(systemPattern.source)}: invalid argument`,
    );
  }
  const bad = parts.slice(1).find((part) => !/^[A-Za-z0-9_.-]+$/.test(part));
  if (bad !== undefined) {
    throw invalid(
      `"${bad}" is an invalid component of "${text}": platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument`,
    );
  }
  const host = hostPlatform();
  const [, architecture, variant = ''] = parts;
  if (architecture !== undefined) {
    return normalizePlatform({ os: first, architecture, variant, osVersion });
  }
  if (knownOses.has(first.toLowerCase()) || first.toLowerCase() === 'macos') {
    return { ...host, os: normalizePlatform({ ...host, os: first }).os };
  }
  const platform = normalizePlatform({ ...host, architecture: first, variant: '' });
  if (knownArchitectures.has(platform.architecture)) return platform;
  throw invalid(`"${text}": unknown operating system or architecture: invalid argument`);
}

/** `linux/arm/v6`. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter((part) => part !== '').join('/');
}

/** How well `candidate` serves one who wants `wanted`: 0 not at all, larger is better. Older ARM variants run on newer. */
export function platformRank(wanted: Platform, candidate: Platform): number {
  const want = normalizePlatform(wanted);
  const have = normalizePlatform(candidate);
  if (want.os !== have.os) return 0;
  if (want.architecture === have.architecture && want.variant === have.variant) return 100;
  if (want.architecture === 'arm' && have.architecture === 'arm') {
    const gap = Number(want.variant.slice(1)) - Number(have.variant.slice(1));
    return gap > 0 ? 50 - gap : 0;
  }
  // Every amd64/vN machine runs plain amd64 code.
  return want.architecture === have.architecture && have.variant === '' ? 50 : 0;
}

/** The `platform` member of an index's descriptor. */
export function readPlatform(field: Field): Platform {
  return {
    os: field.get('os').string(),
    architecture: field.get('architecture').string(),
    variant: field.get('variant').optional((f) => f.string()) ?? '',
    osVersion: field.get('os.version').optional((f) => f.string()) ?? '',
  };
}

function normalizeVariant(architecture: string, variant: string): string {
  if (architecture === 'arm64') return variant === '8' || variant === 'v8' ? '' : variant;
  if (architecture === 'amd64') return variant === 'v1' ? '' : variant;
  if (architecture === 'arm') {
    if (variant === '') return 'v7';
    return /^\d$/.test(variant) ? `v${variant}` : variant;
  }
  return variant;
}
