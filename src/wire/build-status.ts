/**
 * How a build goes on, as BuildKit's clients print it with `--progress rawjson`: objects with lists of what is new. Times are
 * RFC 3339 with nanoseconds, bytes are base64. Skiff's daemon sends these objects as `aux` of a build's JSON stream to a
 * client that asks for them, with two members of its own: `plan` and `result`.
 */

/** One object of the stream; a vertex or status that was told of before takes the place of what was told. */
export interface BuildStatus {
  readonly vertexes?: readonly BuildVertex[];
  readonly statuses?: readonly VertexStatus[];
  readonly logs?: readonly VertexLog[];
  readonly warnings?: readonly VertexWarning[];
  /** A step waits for somebody to look into it; its shell comes over the session's stream `debug`. */
  readonly stopped?: StoppedStep;
  /** The last object of a build that has succeeded. */
  readonly result?: BuildOutcome;
  /** Where in the Dockerfile the error is that ends the stream, and what to do about it. */
  readonly failure?: BuildFailure;
}

/** Something to do. */
export interface BuildVertex {
  readonly digest: string;
  readonly inputs?: readonly string[];
  /** `[build 2/4] RUN make`. */
  readonly name: string;
  readonly started?: string;
  readonly completed?: string;
  readonly cached?: boolean;
  readonly error?: string;
  /** Skiff's: why the cache had it or not, in lines; only if asked for. */
  readonly explanation?: readonly string[];
}

/** A part of a vertex that has a size or takes time. */
export interface VertexStatus {
  readonly id: string;
  readonly vertex: string;
  readonly name?: string;
  readonly current: number;
  readonly total?: number;
  readonly timestamp: string;
  readonly started?: string;
  readonly completed?: string;
}

/** Output of a process. */
export interface VertexLog {
  readonly vertex: string;
  /** 1 stdout, 2 stderr. */
  readonly stream: number;
  readonly data: string;
  readonly timestamp: string;
}

/** Something in a Dockerfile that works but should be otherwise. */
export interface VertexWarning {
  readonly vertex?: string;
  readonly level: number;
  /** `RuleName: what is wrong (line 3)`, in base64. */
  readonly short: string;
  readonly detail: readonly string[];
  readonly url?: string;
  readonly sourceInfo?: { readonly filename: string };
  readonly range?: readonly {
    readonly start: { readonly line: number };
    readonly end: { readonly line: number };
  }[];
}

/** What a build has made. */
export interface BuildOutcome {
  /** The image in the store; empty if none went there. */
  readonly image: string;
  /** What exporters say, by BuildKit's names, values of `containerimage.descriptor` and the like parsed. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** What is known of an error besides its message. */
export interface BuildFailure {
  /** The vertex that failed. */
  readonly vertex?: string;
  /** Lines of the Dockerfile, the wrong ones marked. */
  readonly excerpt?: string;
  /** What to write instead. */
  readonly hint?: string;
}

/** A step that somebody looks into. */
export interface StoppedStep {
  readonly vertex: string;
  readonly name: string;
  /** What it runs, or would. */
  readonly command: readonly string[];
  /** Why it failed; absent: it has not begun. */
  readonly error?: string;
}
