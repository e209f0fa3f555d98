import { parseCsvLine } from '#/base/csv.ts';
import { invalid } from '#/base/errors.ts';
import { goQuote } from '#/base/go-quote.ts';
import { parseBinarySize } from '#/base/units.ts';

import { withSuggestion } from './suggest.ts';

/** What kinds of mounts a RUN can have. */
type MountType = 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh';
/** What happens if two steps want the same cache at once. */
type CacheSharing = 'shared' | 'private' | 'locked';

/** A mount of a RUN. */
export interface Mount {
  readonly type: MountType;
  readonly from: string | undefined;
  readonly source: string | undefined;
  readonly target: string | undefined;
  readonly readOnly: boolean;
  /** Bytes of a tmpfs. */
  readonly size: number | undefined;
  /** Of a cache, secret or agent. */
  readonly id: string | undefined;
  readonly sharing: CacheSharing | undefined;
  readonly required: boolean;
  /** The variable that is to hold a secret. */
  readonly env: string | undefined;
  readonly mode: number | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

type Draft = { -readonly [K in keyof Mount]: K extends 'readOnly' ? boolean | undefined : Mount[K] };
type Setter = (draft: Draft, value: string, key: string) => void;

const types: readonly MountType[] = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'];
const sharings: readonly CacheSharing[] = ['shared', 'private', 'locked'];

const setSource: Setter = (draft, value) => {
  draft.source = value;
};
const setTarget: Setter = (draft, value) => {
  draft.target = value;
};
const setReadOnly: Setter = (draft, value, key) => {
  draft.readOnly = parseBoolean(value, key);
};
const setReadWrite: Setter = (draft, value, key) => {
  draft.readOnly = !parseBoolean(value, key);
};

const setters: ReadonlyMap<string, Setter> = new Map<string, Setter>([
  [
    'type',
    (draft, value) => {
      draft.type = oneOf(types, value, 'mount type');
    },
  ],
  [
    'from',
    (draft, value) => {
      draft.from = value;
    },
  ],
  ['source', setSource],
  ['src', setSource],
  ['target', setTarget],
  ['dst', setTarget],
  ['destination', setTarget],
  ['readonly', setReadOnly],
  ['ro', setReadOnly],
  ['readwrite', setReadWrite],
  ['rw', setReadWrite],
  [
    'required',
    (draft, value, key) => {
      if (draft.type !== 'secret' && draft.type !== 'ssh') throw unexpected(key, draft.type);
      draft.required = parseBoolean(value, key);
    },
  ],
  [
    'size',
    (draft, value, key) => {
      if (draft.type !== 'tmpfs') throw unexpected(key, draft.type);
      try {
        draft.size = parseBinarySize(value);
      } catch (error) {
        throw invalid(`invalid value for size: ${value}`, error);
      }
    },
  ],
  [
    'id',
    (draft, value) => {
      draft.id = value;
    },
  ],
  [
    'sharing',
    (draft, value) => {
      draft.sharing = oneOf(sharings, value, 'sharing value');
    },
  ],
  [
    'mode',
    (draft, value) => {
      draft.mode = parseNumber(value, 8, 'mode');
    },
  ],
  [
    'uid',
    (draft, value) => {
      draft.uid = parseNumber(value, 10, 'uid');
    },
  ],
  [
    'gid',
    (draft, value) => {
      draft.gid = parseNumber(value, 10, 'gid');
    },
  ],
  [
    'env',
    (draft, value) => {
      draft.env = value;
    },
  ],
]);

/** What can be said of a `--mount` before variables are known: that its fields are well-formed, and `from` has none. */
export function checkMount(text: string): void {
  for (const field of fieldsOf(text)) {
    const [key = '', value = ''] = field.split('=', 2);
    const at = key.toLowerCase() === 'from' ? value.indexOf('$') : -1;
    if (at >= 0 && at !== value.length - 1) {
      throw invalid("'from' doesn't support variable expansion, define alias stage instead");
    }
  }
}

/** Reads the value of a `--mount`; `expand` replaces variables in the values of its fields. */
export function readMount(text: string, expand: (value: string) => string): Mount {
  const draft: Draft = {
    type: 'bind',
    from: undefined,
    source: undefined,
    target: undefined,
    readOnly: undefined,
    size: undefined,
    id: undefined,
    sharing: undefined,
    required: false,
    env: undefined,
    mode: undefined,
    uid: undefined,
    gid: undefined,
  };
  for (const field of fieldsOf(text)) setField(draft, field, expand);
  const { readOnly, ...mount } = draft;
  checkCombination(mount);
  return { ...mount, readOnly: readOnly ?? (mount.type !== 'cache' && mount.type !== 'tmpfs') };
}

function setField(draft: Draft, field: string, expand: (value: string) => string): void {
  const at = field.indexOf('=');
  const key = (at < 0 ? field : field.slice(0, at)).toLowerCase();
  if (at < 0 && !['readonly', 'ro', 'readwrite', 'rw', 'required'].includes(key)) {
    throw invalid(`invalid field '${field}' must be a key=value pair`);
  }
  const value = at < 0 ? 'true' : expand(field.slice(at + 1));
  const set = setters.get(key);
  if (set === undefined) {
    throw invalid(withSuggestion(`unexpected key '${key}' in '${field}'`, key, setters.keys()));
  }
  set(draft, value, key);
}

function checkCombination(mount: Omit<Mount, 'readOnly'>): void {
  if (mount.type === 'bind' || mount.type === 'tmpfs') {
    for (const field of ['mode', 'uid', 'gid'] as const) {
      if (mount[field] !== undefined) {
        throw invalid(`${field} not allowed for "${mount.type}" type mounts`);
      }
    }
  }
  if (mount.type === 'secret') {
    if (mount.from) throw invalid('secret mount should not have a from');
    if (mount.sharing !== undefined) throw invalid('secret mount should not define sharing');
    if (!mount.source && !mount.target && !mount.id) {
      throw invalid('invalid secret mount. one of source, target required');
    }
    if (mount.source && mount.id) throw invalid("both source and id can't be set");
  }
  if (mount.sharing !== undefined && mount.type !== 'cache') {
    throw invalid(`invalid cache sharing set for ${mount.type} mount`);
  }
}

function fieldsOf(text: string): readonly string[] {
  try {
    return parseCsvLine(text);
  } catch (error) {
    throw invalid(`failed to parse csv mounts: ${error instanceof Error ? error.message : ''}`, error);
  }
}

function oneOf<T extends string>(allowed: readonly T[], value: string, what: string): T {
  const found = allowed.find((candidate) => candidate === value.toLowerCase());
  if (found === undefined) {
    throw invalid(withSuggestion(`unsupported ${what} ${goQuote(value)}`, value, allowed));
  }
  return found;
}

function parseBoolean(value: string, key: string): boolean {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
  throw invalid(`invalid value for ${key}: ${value}`);
}

function parseNumber(value: string, base: 8 | 10, what: string): number {
  const number = (base === 8 ? /^[0-7]+$/ : /^[0-9]+$/).test(value)
    ? Number.parseInt(value, base)
    : Number.NaN;
  if (Number.isNaN(number) || number > 0xffffffff) throw invalid(`invalid value ${value} for ${what}`);
  return number;
}

function unexpected(key: string, type: MountType): Error {
  return invalid(`unexpected key '${key}' for mount type '${type}'`);
}
