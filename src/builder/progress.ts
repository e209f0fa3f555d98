import type { SourceText } from '#/dockerfile/source.ts';
import type { Digest } from '#/oci/digest.ts';

/** What happens in a build, in the order in which it does. */
export type BuildEvent = DockerfileEvent | PlanEvent | VertexEvent | StatusEvent | LogEvent | WarningEvent;

/** Takes events. The sender of a log waits for the promise, if there is one, before it reads on. */
export type ProgressSink = (event: BuildEvent) => undefined | Promise<void>;

/** Sent when the Dockerfile has been read: all that it says, in its order, whether the build comes to need it or not. */
export interface DockerfileEvent {
  readonly kind: 'dockerfile';
  readonly instructions: readonly WrittenInstruction[];
}

/** An instruction of the Dockerfile. */
interface WrittenInstruction {
  /** In one line. */
  readonly text: string;
  /** Where it begins, from 1. */
  readonly line: number;
  /** There are empty lines in it. */
  readonly hasGap: boolean;
}

/** Sent once for each platform, when it is known what there is to do: what the Dockerfile says, in its order. */
interface PlanEvent {
  readonly kind: 'plan';
  readonly instructions: readonly PlannedInstruction[];
}

/** An instruction of a stage that takes part in the build. */
export interface PlannedInstruction {
  /** As in the Dockerfile, in one line: `RUN make`. */
  readonly text: string;
  /** What carries it out; undefined for one that only changes the image's configuration. */
  readonly vertex: Digest | undefined;
  /** `argument`: an ARG before the first FROM. `trigger`: the base image has left it. */
  readonly role: 'own' | 'argument' | 'trigger';
  /** As history tells of it, with variables replaced; empty if it does not. */
  readonly told: string;
}

/** Something to do: sent when it is known, when it starts and when it ends. */
export interface VertexEvent {
  readonly kind: 'vertex';
  /** Names it within the build. */
  readonly digest: Digest;
  /** `[build 2/4] RUN make`. */
  readonly name: string;
  readonly inputs: readonly Digest[];
  readonly started?: Date;
  readonly completed?: Date;
  readonly cached: boolean;
  readonly error?: string;
  /** The layer that it made or found, once completed; undefined if it makes none. */
  readonly result?: Digest;
  /** With `explain`: why the cache had it or not. */
  readonly explanation?: readonly string[];
}

/** A part of a vertex that has a size or takes time. */
export interface StatusEvent extends Status {
  readonly kind: 'status';
  readonly vertex: Digest;
}

/** How far something is. */
export interface Status {
  /** Names it within its vertex. */
  readonly id: string;
  readonly current: number;
  /** 0 if unknown. */
  readonly total: number;
  readonly started: Date;
  readonly completed?: Date;
}

/** Takes the states of parts of one vertex. */
export type StatusSink = (status: Status) => void;

/** Output of a process. */
export interface LogEvent {
  readonly kind: 'log';
  readonly vertex: Digest;
  /** 1 stdout, 2 stderr. */
  readonly stream: 1 | 2;
  readonly time: Date;
  readonly data: Buffer;
}

/** Something in the Dockerfile that works but should be otherwise. */
export interface WarningEvent {
  readonly kind: 'warning';
  readonly vertex: Digest | undefined;
  /** BuildKit's name of the rule. */
  readonly rule: string;
  readonly short: string;
  readonly detail: readonly string[];
  readonly url: string;
  readonly source: SourceText;
  /** First and last line, from 1. */
  readonly lines: readonly [first: number, last: number];
}
