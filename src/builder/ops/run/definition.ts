import type { ChainId } from '#/storage/chain-id.ts';
import type { ContextTree, RunNetwork } from '../../request.ts';

/** What a RUN instruction is to do, with everything resolved but the things that its mounts show. */
export interface RunDefinition {
  readonly args: readonly string[];
  /** NAME=value, complete but for what mounts add. */
  readonly env: readonly string[];
  /** Absolute; made if it is missing. */
  readonly cwd: string;
  /** As in USER; empty is root. */
  readonly user: string;
  readonly network: RunNetwork;
  /** All capabilities and devices, nothing masked. */
  readonly insecure: boolean;
  readonly mounts: readonly RunMount[];
}

/** What a step sees of another tree: a layer with those below it, or a directory of the daemon's. */
export type SourceTree =
  /** Undefined: `scratch`. */
  | { readonly kind: 'layer'; readonly chainId: ChainId | undefined }
  | {
      readonly kind: 'directory';
      readonly root: string;
      readonly isShared: boolean;
      readonly version: ContextTree['version'] | undefined;
    };

/** Who owns what a mount brings, and who may use it. */
export interface Access {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** A mount of one RUN instruction. Targets are absolute. */
export type RunMount =
  | {
      readonly kind: 'bind';
      readonly target: string;
      readonly tree: SourceTree;
      /** In the tree. */
      readonly path: string;
      /** Changes are possible, and lost afterwards. */
      readonly writable: boolean;
    }
  | (Access & {
      readonly kind: 'cache';
      readonly target: string;
      readonly id: string;
      readonly sharing: 'shared' | 'private' | 'locked';
      /** What a new one begins with; undefined: nothing. */
      readonly tree: SourceTree | undefined;
      readonly path: string;
      readonly readonly: boolean;
    })
  | { readonly kind: 'tmpfs'; readonly target: string; readonly size: number | undefined }
  | (Access & {
      readonly kind: 'secret';
      readonly id: string;
      /** Where the file is; undefined: there is none. */
      readonly target: string | undefined;
      /** The variable that has it; undefined: there is none. */
      readonly variable: string | undefined;
      readonly required: boolean;
    })
  | (Access & {
      readonly kind: 'ssh';
      readonly id: string;
      readonly target: string;
      readonly required: boolean;
    })
  /** A file of the Dockerfile's. */
  | { readonly kind: 'file'; readonly target: string; readonly content: string; readonly mode: number };
