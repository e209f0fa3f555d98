import type { ImageHealthcheck } from '#/oci/image-config.ts';
import type { Heredoc } from './heredoc.ts';
import type { Pair } from './node.ts';
import type { SourceRange } from './source.ts';

/** What all instructions have. */
export interface InstructionBase {
  readonly range: SourceRange;
  /** As it is written: `Copy`. */
  readonly keyword: string;
  /** The line as history shows it: continuations joined, without comments and here-documents. */
  readonly text: string;
  /** The comments right above, without `#`. */
  readonly comments: readonly string[];
}

/** A program with its arguments, or a line for the shell of the stage. */
export type CommandLine =
  | { readonly form: 'exec'; readonly words: readonly string[] }
  | { readonly form: 'shell'; readonly line: string };

/** Something to copy: a path, URL or pattern, or a file whose content stands in the Dockerfile. */
export type CopySource =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'inline'; readonly name: string; readonly content: string; readonly expands: boolean };

/** A variable that an ARG declares. */
interface ArgDeclaration {
  readonly name: string;
  /** Not yet expanded; undefined if there is no default. */
  readonly value: string | undefined;
  /** From a comment `# NAME text` right above. */
  readonly description: string | undefined;
}

export interface FromInstruction extends InstructionBase {
  readonly kind: 'from';
  /** An image, a stage before or `scratch`; not yet expanded. */
  readonly image: string;
  readonly platform: string | undefined;
  /** In lower case. */
  readonly stageName: string | undefined;
  /** The words `AS` and the name as they are written. */
  readonly as: { readonly keyword: string; readonly name: string } | undefined;
  readonly description: string | undefined;
}

export interface RunInstruction extends InstructionBase {
  readonly kind: 'run';
  readonly command: CommandLine;
  readonly heredocs: readonly Heredoc[];
  /** The values of `--mount`; `readMount` tells what they mean once variables are known. */
  readonly mounts: readonly string[];
  /** `default`, `none`, `host` or the name of a network. */
  readonly network: string;
  readonly security: 'sandbox' | 'insecure';
  /** The values of `--device`. */
  readonly devices: readonly string[];
}

interface CopyBase extends InstructionBase {
  readonly sources: readonly CopySource[];
  readonly destination: string;
  readonly chown: string | undefined;
  readonly chmod: string | undefined;
  readonly link: boolean;
  readonly excludes: readonly string[];
}

export interface CopyInstruction extends CopyBase {
  readonly kind: 'copy';
  /** A stage, an image, a named context or the number of a stage. */
  readonly from: string | undefined;
  readonly parents: boolean;
}

export interface AddInstruction extends CopyBase {
  readonly kind: 'add';
  readonly checksum: string | undefined;
  readonly keepGitDir: boolean | undefined;
  readonly unpack: boolean | undefined;
}

export interface ArgInstruction extends InstructionBase {
  readonly kind: 'arg';
  readonly args: readonly ArgDeclaration[];
}

interface PairsInstruction extends InstructionBase {
  readonly kind: 'env' | 'label';
  readonly pairs: readonly Pair[];
}

interface CommandInstruction extends InstructionBase {
  readonly kind: 'cmd' | 'entrypoint';
  readonly command: CommandLine;
}

interface ExposeInstruction extends InstructionBase {
  readonly kind: 'expose';
  /** Sorted, not yet expanded; `parseExpose` reads them then. */
  readonly ports: readonly string[];
}

export interface VolumeInstruction extends InstructionBase {
  readonly kind: 'volume';
  readonly paths: readonly string[];
}

interface ShellInstruction extends InstructionBase {
  readonly kind: 'shell';
  readonly words: readonly string[];
}

interface HealthcheckInstruction extends InstructionBase {
  readonly kind: 'healthcheck';
  readonly healthcheck: ImageHealthcheck;
}

export interface OnbuildInstruction extends InstructionBase {
  readonly kind: 'onbuild';
  /** The instruction that is to be carried out later, here-documents included: what the image keeps. */
  readonly trigger: string;
}

/** USER, WORKDIR, STOPSIGNAL, MAINTAINER: one value, which is the rest of the line. */
export interface ValueInstruction extends InstructionBase {
  readonly kind: 'user' | 'workdir' | 'stopsignal' | 'maintainer';
  readonly value: string;
}

/** An instruction of a stage. */
export type StageInstruction =
  | RunInstruction
  | CopyInstruction
  | AddInstruction
  | ArgInstruction
  | PairsInstruction
  | CommandInstruction
  | ExposeInstruction
  | VolumeInstruction
  | ShellInstruction
  | HealthcheckInstruction
  | OnbuildInstruction
  | ValueInstruction;

/** Any instruction. */
export type Instruction = FromInstruction | StageInstruction;
