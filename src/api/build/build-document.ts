import type {
  BuildDocument,
  CacheDocument,
  ContextDocument,
  DockerfileDocument,
  OutputDocument,
} from '#/wire/build.ts';
import type { AuthConfig } from '#/wire/registry.ts';
import { ulimits } from '../decode/host-config.ts';
import {
  boolean,
  DecodeError,
  type Decoder,
  int64,
  list,
  map,
  string,
  stringMap,
  strings,
  struct,
  uint16,
} from '../decode/json.ts';
import { authConfig } from '../decode/registry-auth.ts';

/** What is absent is the zero value. */
type Complete<T> = { readonly [K in keyof T]-?: NonNullable<T[K]> };

function orEmpty<T>(inner: Decoder<readonly T[] | null>): Decoder<readonly T[]> {
  return (value, path) => inner(value, path) ?? [];
}

function orNone<T>(inner: Decoder<Readonly<Record<string, T>> | null>): Decoder<Readonly<Record<string, T>>> {
  return (value, path) => inner(value, path) ?? {};
}

const texts = orEmpty(strings);
const textMap = orNone(stringMap);

const dockerfile: Decoder<Complete<DockerfileDocument>> = struct('DockerfileDocument', {
  Name: string,
  Content: string,
});

const contextFields: Decoder<{
  readonly Kind: string;
  readonly Name: string;
  readonly Url: string;
  readonly Reference: string;
}> = struct('ContextDocument', { Kind: string, Name: string, Url: string, Reference: string });

const context: Decoder<ContextDocument> = (value, path) => {
  const { Kind, Name, Url, Reference } = contextFields(value, path);
  switch (Kind) {
    case 'none':
      return { Kind };
    case 'files':
      return { Kind, Name };
    case 'url':
      return { Kind, Url };
    case 'image':
      return { Kind, Reference };
    case 'oci-layout':
      return { Kind, Name, Reference };
    default:
      throw new DecodeError(Kind, `${path}.Kind`, 'files|none|url|image|oci-layout');
  }
};

const output: Decoder<Complete<OutputDocument>> = struct('OutputDocument', {
  Type: string,
  Attributes: textMap,
  Stream: string,
});

const cache: Decoder<Complete<CacheDocument>> = struct('CacheDocument', {
  Type: string,
  Attributes: textMap,
  Name: string,
  Stream: string,
});

/** A whole `BuildDocument`. */
export type FullBuildDocument = Complete<
  Omit<BuildDocument, 'Outputs' | 'CacheFrom' | 'CacheTo' | 'Auths'>
> & {
  readonly Dockerfile: Complete<DockerfileDocument>;
  readonly Outputs: readonly Complete<OutputDocument>[];
  readonly CacheFrom: readonly Complete<CacheDocument>[];
  readonly CacheTo: readonly Complete<CacheDocument>[];
  readonly Auths: Readonly<Record<string, Required<AuthConfig>>>;
};

/** A `BuildDocument` from outside. */
export const buildDocument: Decoder<FullBuildDocument> = struct('BuildDocument', {
  Session: string,
  Dockerfile: dockerfile,
  Context: context,
  NamedContexts: orNone(map(context)),
  Names: texts,
  Args: textMap,
  Labels: textMap,
  Target: string,
  Platforms: texts,
  NoCache: boolean,
  NoCacheStages: texts,
  Pull: boolean,
  Squash: boolean,
  NetworkMode: string,
  ExtraHosts: texts,
  Ulimits: orEmpty(ulimits),
  ShmSize: int64,
  CgroupParent: string,
  Memory: int64,
  MemorySwap: int64,
  CpuShares: int64,
  CpuPeriod: int64,
  CpuQuota: int64,
  CpusetCpus: string,
  CpusetMems: string,
  Secrets: textMap,
  Agents: texts,
  Auths: orNone(map(authConfig)),
  Outputs: orEmpty(list(output)),
  CacheFrom: orEmpty(list(cache)),
  CacheTo: orEmpty(list(cache)),
  Attestations: textMap,
  Entitlements: texts,
  Explain: boolean,
  DebugStep: string,
  OnError: string,
  Terminal: struct('Terminal', { Height: uint16, Width: uint16 }),
});
