import { invalid } from '#/base/errors.ts';
import { parseBinarySize } from '#/base/units.ts';
import type { Option } from './option.ts';
import { entriesOf, type ValueKind } from './values.ts';

/** A size that daemon.json gives: bytes, or a part of the disk (0 to 1). */
export type DiskAmount = { readonly bytes: number } | { readonly share: number };

/** How the cache of builds is kept small: `builder.gc` of daemon.json. */
interface BuilderGc {
  readonly enabled: boolean;
  /** What is kept in any case. */
  readonly reserved: DiskAmount | undefined;
  /** What may be used; undefined is the default. */
  readonly maxUsed: DiskAmount | undefined;
  /** What is to be free on the disk. */
  readonly minFree: DiskAmount | undefined;
}

/** What can be set about builds. */
export interface BuilderConfig {
  readonly builderGc: BuilderGc;
  /** Read and without effect: every client finds the builder that it asks for. */
  readonly features: Readonly<Record<string, boolean>>;
}

const defaultGc: BuilderGc = { enabled: true, reserved: undefined, maxUsed: undefined, minFree: undefined };

/** `{"gc": {"enabled": true, "defaultMaxUsedSpace": "20GB", "defaultReservedSpace": "5GB", "defaultMinFreeSpace": "10%"}}`. */
const builderGc: ValueKind<BuilderGc> = {
  name: 'builder',
  fromFlag: () => {
    throw invalid('the builder can only be described in daemon.json');
  },
  fromJson: (value) => {
    const { gc } = known('builder', value, ['gc']);
    if (gc === undefined) return defaultGc;
    const names = [
      'enabled',
      'defaultKeepStorage',
      'defaultReservedSpace',
      'defaultMaxUsedSpace',
      'defaultMinFreeSpace',
    ];
    const given = known('builder.gc', gc, names);
    const { enabled = true } = given;
    if (typeof enabled !== 'boolean') throw new TypeError('object with a boolean gc.enabled');
    const amount = (name: string): DiskAmount | undefined => amountOf(name, given[name]);
    return {
      enabled,
      reserved: amount('defaultReservedSpace'),
      maxUsed: amount('defaultMaxUsedSpace') ?? amount('defaultKeepStorage'),
      minFree: amount('defaultMinFreeSpace'),
    };
  },
  show: ({ enabled }) => (enabled ? 'on' : 'off'),
};

/** `{"buildkit": true}`: the one feature that Docker's documentation tells people to set. */
const features: ValueKind<Readonly<Record<string, boolean>>> = {
  name: 'features',
  fromFlag: () => {
    throw invalid('features can only be given in daemon.json');
  },
  fromJson: (value) => {
    const { buildkit } = known('features', value, ['buildkit']);
    if (buildkit === undefined) return {};
    if (typeof buildkit !== 'boolean') throw new TypeError('object of booleans');
    return { buildkit };
  },
  show: (value) => JSON.stringify(value),
};

/** Their options. */
export const builderOptions: { readonly [F in keyof BuilderConfig]: Option<BuilderConfig[F]> } = {
  builderGc: {
    flag: undefined,
    key: 'builder',
    kind: builderGc,
    default: defaultGc,
    help: 'How much of the cache of builds is kept',
  },
  features: {
    flag: undefined,
    key: 'features',
    kind: features,
    default: {},
    help: 'Features of dockerd; only "buildkit" is known: whether clients are told to use it by themselves',
  },
};

/** Bytes of an amount on a disk of `total` bytes. */
export function bytesOf(amount: DiskAmount, total: number): number {
  return 'bytes' in amount ? amount.bytes : Math.round(amount.share * total);
}

function known(what: string, value: unknown, names: readonly string[]): Record<string, unknown> {
  const entries = entriesOf(value, `object of ${names.join(', ')}`);
  const unknown = entries.find(([name]) => !names.includes(name));
  if (unknown !== undefined) {
    throw invalid(`${what} has no ${JSON.stringify(unknown[0])} here; there is ${names.join(', ')}`);
  }
  return Object.fromEntries(entries);
}

function amountOf(name: string, value: unknown): DiskAmount | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return { bytes: value };
  if (typeof value !== 'string')
    throw invalid(`gc.${name} is a size like "20GB", a part like "10%", or bytes`);
  const percent = /^(\d{1,3})%$/.exec(value)?.[1];
  if (percent === undefined) return { bytes: parseBinarySize(value) };
  if (Number(percent) > 100) throw invalid(`gc.${name}: ${value} is more than the disk`);
  return { share: Number(percent) / 100 };
}
