import { notImplemented } from '#/base/errors.ts';
import type { CopyInput, CopyNode } from '../plan/graph.ts';
import type { SourceTree } from './run/definition.ts';

/** What is taken of a tree. */
export interface ContentWish {
  /** As Go's filepath.Match takes them. */
  readonly patterns: readonly string[];
  /** As .dockerignore writes them, relative to each match. */
  readonly excludes: readonly string[];
  readonly parents: boolean;
}

/** Something to copy that is there. */
export type CopySourceTree =
  | { readonly kind: 'tree'; readonly tree: SourceTree; readonly pattern: string }
  | Extract<CopyInput, { readonly kind: 'inline' }>;

/** What the steps COPY, ADD and WORKDIR do. */
export interface FileOps {
  /** Digest of what a copy takes of a tree: names, modes, owners, links, content; not times. */
  digest(tree: SourceTree, wish: ContentWish, options: { readonly signal: AbortSignal }): Promise<string>;
  /** Copies into an active snapshot. */
  copy(
    job: {
      readonly snapshot: string;
      readonly node: CopyNode;
      readonly sources: readonly CopySourceTree[];
      readonly epoch: number | undefined;
    },
    options: { readonly signal: AbortSignal },
  ): Promise<void>;
  /** Makes a directory, if it is missing, with those above it. */
  makeDirectory(
    job: { readonly snapshot: string; readonly path: string },
    options: { readonly signal: AbortSignal },
  ): Promise<void>;
}

/** For as long as there is nothing else. */
export const noFileOps: FileOps = {
  digest: () => Promise.reject(notImplemented('COPY is not implemented')),
  copy: () => Promise.reject(notImplemented('COPY is not implemented')),
  makeDirectory: () => Promise.reject(notImplemented('WORKDIR is not implemented')),
};
