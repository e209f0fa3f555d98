import { resolve } from 'node:path';
import { parseCsvLine } from '#/base/csv.ts';
import { parseBinarySize } from '#/base/units.ts';
import type { Mount, MountType } from '#/wire/mounts.ts';
import { parseGoBool } from '../flags/flag.ts';

/** A mount while its fields are read. */
interface Draft {
  type: string;
  source: string;
  target: string;
  readOnly: boolean;
  consistency: string;
  bind:
    | {
        Propagation?: string;
        NonRecursive?: boolean;
        ReadOnlyNonRecursive?: boolean;
        ReadOnlyForceRecursive?: boolean;
      }
    | undefined;
  volume:
    | {
        NoCopy?: boolean;
        labels: Record<string, string>;
        Subpath?: string;
        driver: string;
        options: Record<string, string>;
      }
    | undefined;
  image: { Subpath?: string } | undefined;
  tmpfs: { SizeBytes?: number; Mode?: number } | undefined;
}

type Setter = (draft: Draft, value: string, key: string) => void;

const bind = (draft: Draft): NonNullable<Draft['bind']> => (draft.bind ??= {});
const volume = (draft: Draft): NonNullable<Draft['volume']> =>
  (draft.volume ??= { labels: {}, driver: '', options: {} });

function bool(value: string, key: string): boolean {
  const parsed = parseGoBool(value);
  if (parsed === undefined) throw new Error(`invalid value for ${key}: ${value}`);
  return parsed;
}

function putPair(target: Record<string, string>, pair: string): void {
  const at = pair.indexOf('=');
  const name = at < 0 ? pair : pair.slice(0, at);
  if (name !== '') target[name] = at < 0 ? '' : pair.slice(at + 1);
}

/** A leading dot means a path beside us, not the name of a volume. */
const source: Setter = (draft, value) => {
  draft.source = value.startsWith('.') ? resolve(value) : value;
};
const target: Setter = (draft, value) => {
  draft.target = value;
};
const readOnly: Setter = (draft, value, key) => {
  draft.readOnly = bool(value, key);
};

const recursion: Readonly<Record<string, (draft: Draft) => void>> = {
  enabled: () => undefined,
  disabled: (draft) => {
    bind(draft).NonRecursive = true;
  },
  writable: (draft) => {
    bind(draft).ReadOnlyNonRecursive = true;
  },
  readonly: (draft) => {
    bind(draft).ReadOnlyForceRecursive = true;
  },
};

const setters: Readonly<Record<string, Setter>> = {
  type: (draft, value) => {
    draft.type = value.toLowerCase();
  },
  source,
  src: source,
  target,
  dst: target,
  destination: target,
  readonly: readOnly,
  ro: readOnly,
  consistency: (draft, value) => {
    draft.consistency = value.toLowerCase();
  },
  'bind-propagation': (draft, value) => {
    bind(draft).Propagation = value.toLowerCase();
  },
  'bind-nonrecursive': (draft, value, key) => {
    bind(draft).NonRecursive = bool(value, key);
  },
  'bind-recursive': (draft, value, key) => {
    const set = Object.hasOwn(recursion, value) ? recursion[value] : undefined;
    if (set === undefined) {
      throw new Error(
        `invalid value for ${key}: ${value} (must be "enabled", "disabled", "writable", or "readonly")`,
      );
    }
    set(draft);
  },
  'volume-subpath': (draft, value) => {
    volume(draft).Subpath = value;
  },
  'volume-nocopy': (draft, value, key) => {
    volume(draft).NoCopy = bool(value, key);
  },
  'volume-label': (draft, value) => putPair(volume(draft).labels, value),
  'volume-driver': (draft, value) => {
    volume(draft).driver = value;
  },
  'volume-opt': (draft, value) => putPair(volume(draft).options, value),
  'image-subpath': (draft, value) => {
    draft.image = { Subpath: value };
  },
  'tmpfs-size': (draft, value, key) => {
    draft.tmpfs = { ...draft.tmpfs, SizeBytes: orInvalid(() => parseBinarySize(value), `${key}: ${value}`) };
  },
  'tmpfs-mode': (draft, value, key) => {
    if (!/^[0-7]{1,10}$/.test(value)) throw new Error(`invalid value for ${key}: ${value}`);
    draft.tmpfs = { ...draft.tmpfs, Mode: Number.parseInt(value, 8) };
  },
};

function orInvalid<T>(work: () => T, what: string): T {
  try {
    return work();
  } catch (error) {
    throw new Error(`invalid value for ${what}`, { cause: error });
  }
}

/** These stand for `=true` when they have no value. */
const switches = new Set(['readonly', 'ro', 'volume-nocopy', 'bind-nonrecursive']);

/** Parses `--mount type=bind,source=/a,target=/b,readonly`. Throws an Error in docker's words. */
export function parseMount(text: string): Mount {
  const draft: Draft = {
    type: 'volume',
    source: '',
    target: '',
    readOnly: false,
    consistency: '',
    bind: undefined,
    volume: undefined,
    image: undefined,
    tmpfs: undefined,
  };
  for (const field of parseCsvLine(text)) {
    const at = field.indexOf('=');
    const key = (at < 0 ? field : field.slice(0, at)).toLowerCase();
    if (at < 0 && !switches.has(key)) throw new Error(`invalid field '${field}' must be a key=value pair`);
    const set = Object.hasOwn(setters, key) ? setters[key] : undefined;
    if (set === undefined) throw new Error(`unexpected key '${key}' in '${field}'`);
    set(draft, at < 0 ? 'true' : field.slice(at + 1), key);
  }
  check(draft);
  return finished(draft);
}

function check({ type, target: path, readOnly: isReadOnly, ...draft }: Draft): void {
  if (type === '') throw new Error('type is required');
  if (path === '') throw new Error('target is required');
  for (const kind of ['volume', 'image', 'bind', 'tmpfs'] as const) {
    if (draft[kind] !== undefined && type !== kind) {
      throw new Error(`cannot mix '${kind}-*' options with mount type '${type}'`);
    }
  }
  const recursive = draft.bind?.ReadOnlyNonRecursive
    ? 'writable'
    : draft.bind?.ReadOnlyForceRecursive
      ? 'readonly'
      : '';
  if (recursive !== '' && !isReadOnly) {
    throw new Error(
      `option 'bind-recursive=${recursive}' requires 'readonly' to be specified in conjunction`,
    );
  }
  if (recursive === 'readonly' && draft.bind?.Propagation !== 'rprivate') {
    throw new Error(
      `option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction`,
    );
  }
}

/** Leaves zero values out, as Go's JSON does. */
function finished(draft: Draft): Mount {
  const { labels = {}, driver = '', options = {}, ...volumeRest } = draft.volume ?? {};
  return {
    Type: draft.type as MountType,
    ...(draft.source !== '' && { Source: draft.source }),
    Target: draft.target,
    ...(draft.readOnly && { ReadOnly: true }),
    ...(draft.consistency !== '' && { Consistency: draft.consistency }),
    ...(draft.bind !== undefined && { BindOptions: truthy(draft.bind) }),
    ...(draft.volume !== undefined && {
      VolumeOptions: {
        ...truthy(volumeRest),
        ...(Object.keys(labels).length > 0 && { Labels: labels }),
        DriverConfig: {
          ...(driver !== '' && { Name: driver }),
          ...(Object.keys(options).length > 0 && { Options: options }),
        },
      },
    }),
    ...(draft.image !== undefined && { ImageOptions: truthy(draft.image) }),
    ...(draft.tmpfs !== undefined && { TmpfsOptions: truthy(draft.tmpfs) }),
  };
}

function truthy<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => Boolean(value))) as T;
}
