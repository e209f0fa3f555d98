import type { CopySource } from '#/dockerfile/instruction.ts';
import type { SourceRange } from '#/dockerfile/source.ts';
import type { Digest } from '#/oci/digest.ts';
import type { Platform } from '#/oci/platform.ts';
import type { RunDefinition, RunMount } from '../ops/run/definition.ts';
import type { BuildContext, ContextWish } from '../request.ts';

/** Something to do. All that it needs is in its inputs; a node with equal digests is the same one. */
export type PlanNode = ImageNode | ContextNode | StepNode;

/** A step that makes a layer on top of another one's. */
export type StepNode = RunNode | CopyNode | DirectoryNode;

interface NodeBase {
  /** Names it within the build. */
  readonly digest: Digest;
  /** As progress shows it: `[build 2/4] RUN make`. */
  readonly name: string;
}

/** The file system of an image from the store or a registry. */
export interface ImageNode extends NodeBase {
  readonly kind: 'image';
  readonly reference: string;
  readonly platform: Platform;
  /** It is in an OCI image layout of the client's, by the reference, a tag or a digest there. */
  readonly layout?: BuildContext;
}

/** Files that the client has, or that are fetched from elsewhere as a whole. */
export interface ContextNode extends NodeBase {
  readonly kind: 'context';
  readonly context: BuildContext;
  /** Complete when the whole plan is: which files are taken is known then only. */
  readonly wish: () => ContextWish;
}

interface StepBase extends NodeBase {
  /** What it changes; undefined: nothing is there yet. */
  readonly parent: PlanNode | undefined;
  /** Where it stands, the same in every build of such a Dockerfile: stage and number. */
  readonly place: string;
  /** Where its instruction is, for errors. */
  readonly range: SourceRange | undefined;
  /** It is carried out although it is in the cache. */
  readonly noCache: boolean;
}

/** A process. */
export interface RunNode extends StepBase {
  readonly kind: 'run';
  /** What its programs are for. */
  readonly platform: Platform;
  readonly run: Omit<RunDefinition, 'mounts'>;
  readonly mounts: readonly MountPlan[];
  /** Variables that the process gets and the cache does not know of: proxies. */
  readonly hiddenEnv: readonly string[];
}

/** A mount whose tree is still to be made. */
export type MountPlan =
  | Exclude<RunMount, { readonly kind: 'bind' | 'cache' }>
  | (Omit<Extract<RunMount, { readonly kind: 'bind' }>, 'tree'> & { readonly from: TreeInput })
  | (Omit<Extract<RunMount, { readonly kind: 'cache' }>, 'tree'> & { readonly from: TreeInput | undefined });

/** A tree of files: what a node makes, or nothing. */
export type TreeInput = PlanNode | 'scratch';

/** Files to copy. */
export interface CopyNode extends StepBase {
  readonly kind: 'copy';
  readonly sources: readonly CopyInput[];
  /** Absolute; with a slash at its end it is a directory. */
  readonly destination: string;
  /** `user:group` as written, by names of the file system that is copied to. */
  readonly chown: string | undefined;
  readonly chmod: string | undefined;
  readonly excludes: readonly string[];
  /** Files keep the directories that they are in. */
  readonly parents: boolean;
  /** The layer is made alone, and put on what is below it. */
  readonly link: boolean;
  /** Of ADD: archives are unpacked. */
  readonly unpack: 'archives' | 'never' | 'always';
}

/** What is copied. */
export type CopyInput =
  | { readonly kind: 'files'; readonly from: TreeInput; readonly pattern: string }
  | Extract<CopySource, { readonly kind: 'inline' }>
  | {
      readonly kind: 'url';
      readonly url: string;
      readonly checksum: string | undefined;
    }
  | {
      readonly kind: 'git';
      readonly url: string;
      readonly keepGitDir: boolean;
      readonly checksum: string | undefined;
    };

/** A directory of WORKDIR. */
export interface DirectoryNode extends StepBase {
  readonly kind: 'directory';
  readonly path: string;
  /** What USER has said: the owner of what is made, if the files below have this user. */
  readonly user: string;
}

/** The nodes that a node needs: the one below it, and those that it takes something of. */
export function inputsOf(node: PlanNode): PlanNode[] {
  if (node.kind === 'image' || node.kind === 'context') return [];
  return [...present([node.parent]), ...sourcesOf(node)];
}

/** The nodes that a step takes something of, beside the one below it. */
export function sourcesOf(node: StepNode): PlanNode[] {
  switch (node.kind) {
    case 'directory':
      return [];
    case 'run':
      return present(
        node.mounts.map((mount) =>
          mount.kind === 'bind' || mount.kind === 'cache' ? mount.from : undefined,
        ),
      );
    case 'copy':
      return present(node.sources.map((source) => (source.kind === 'files' ? source.from : undefined)));
    default:
      return node satisfies never;
  }
}

/** What is below the step has no say in its layer. */
export function isLinked(node: StepNode): boolean {
  return node.kind === 'copy' && node.link;
}

/** The step names a user or group of the files below it, whose numbers it needs. */
export function needsUsers(node: StepNode): boolean {
  return node.kind === 'copy' && node.chown !== undefined && !/^\d+(?::\d+)?$/.test(node.chown);
}

function present(inputs: readonly (TreeInput | undefined)[]): PlanNode[] {
  return inputs.filter((input) => input !== undefined && input !== 'scratch');
}
