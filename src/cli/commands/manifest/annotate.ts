import { type Command, defineCommand } from '../../command.ts';
import { itemsFlag, stringFlag } from '../../flags/flag.ts';
import { orderedPlatform } from '../../manifests/entry.ts';
import { manifestName } from '../../manifests/remote.ts';
import { ManifestStore } from '../../manifests/store.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] MANIFEST_LIST MANIFEST',
  description: 'Say for what machines an image of a list is that has not been pushed.',
  arity: { min: 2, max: 2 },
  flags: {
    arch: stringFlag('Architecture'),
    os: stringFlag('Operating system'),
    'os-features': itemsFlag('Features of the operating system, with commas', {
      parse: (text) => text.split(','),
    }),
    'os-version': stringFlag('Version of the operating system'),
    variant: stringFlag('Variant of the architecture'),
  },
  async run(ctx, { flags, args: [list = '', image = ''] }) {
    const [target, reference] = [manifestName(list, 'manifest list'), manifestName(image, 'manifest')];
    const store = new ManifestStore(ctx);
    const entry = await store.get(target, reference);
    if (entry === undefined) throw new Error(`manifest for image ${image} does not exist in ${list}`);
    const before = entry.Descriptor.platform ?? { architecture: '', os: '' };
    const features = flags['os-features'].flat();
    const platform = orderedPlatform({
      architecture: flags.arch || before.architecture,
      os: flags.os || before.os,
      'os.version': flags['os-version'] || (before['os.version'] ?? ''),
      'os.features': features.length > 0 ? features : (before['os.features'] ?? []),
      variant: flags.variant || (before.variant ?? ''),
    });
    if (!supported.has(`${platform.os}/${platform.architecture}`)) {
      throw new Error(
        `manifest entry for image has unsupported os/arch combination: ${flags.os}/${flags.arch}`,
      );
    }
    await store.put(target, reference, { ...entry, Descriptor: { ...entry.Descriptor, platform } });
  },
});

/** What docker lets a list say. */
const supported: ReadonlySet<string> = new Set(
  Object.entries({
    darwin: '386 amd64 arm arm64',
    dragonfly: 'amd64',
    freebsd: '386 amd64 arm',
    linux: '386 amd64 arm arm64 loong64 mips64 mips64le ppc64le riscv64 s390x',
    netbsd: '386 amd64 arm',
    openbsd: '386 amd64 arm',
    plan9: '386 amd64',
    solaris: 'amd64',
    windows: '386 amd64 arm arm64',
  }).flatMap(([os, architectures]) =>
    architectures.split(' ').map((architecture) => `${os}/${architecture}`),
  ),
);
