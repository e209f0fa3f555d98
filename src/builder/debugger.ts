import type { Digest } from '#/oci/digest.ts';
import type { DirectRun } from '#/runtime/direct-run.ts';

/** A process that somebody starts inside of a step. */
export interface InsideProcess {
  readonly args: readonly string[];
  /** Gives it a terminal; then all its output is stdout. */
  readonly terminal?: { readonly height: number; readonly width: number } | undefined;
}

/** Starts processes in a step's file system, with its mounts, network, user and variables. They end with the step at the latest. */
export type StartInside = (process: InsideProcess) => DirectRun;

/** A step that waits for somebody to look into it. */
export interface StoppedStep {
  readonly vertex: Digest;
  /** `[build 2/4] RUN make`. */
  readonly name: string;
  /** What it runs, or would. */
  readonly command: readonly string[];
  /** Why it failed; undefined: it has not begun. */
  readonly error: unknown;
  readonly start: StartInside;
}

/** Somebody who wants to look into steps. Steps that are cached do not stop; those that it names are not taken from the cache. */
export interface StepDebugger {
  /** Whether to stop before a step, by the name of its vertex. */
  stopsBefore(name: string): boolean;
  /** Whether to stop when a step has failed. */
  readonly stopsOnFailure: boolean;
  /** The step goes on, or fails, when the promise resolves. The build's end aborts `signal`. */
  stopped(step: StoppedStep, options: { readonly signal: AbortSignal }): Promise<void>;
}
