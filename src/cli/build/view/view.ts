import type { BuildFailure, BuildOutcome, BuildStatus } from '#/wire/build-status.ts';

/** What people or programs see of a build while it goes on. One of `end` and `fail` is the last call. */
export interface BuildView {
  take(status: BuildStatus): void;
  /** Somebody else writes to the same place, until `resume`. */
  pause(): void;
  resume(): void;
  /** The build has succeeded; undefined: the daemon did not say with what. */
  end(outcome: BuildOutcome | undefined): void;
  /** The build has failed; whoever calls this shows the message of the error next. */
  fail(failure: BuildFailure | undefined): void;
}
