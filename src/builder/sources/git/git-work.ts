import type { SecretSource, SshSource } from '../../request.ts';
import type { GitUrl } from './git-url.ts';

/** What a build does with repositories. */
export interface GitWork {
  readonly secrets: SecretSource;
  readonly ssh: SshSource;
  readonly signal: AbortSignal;
  /** What git says to people while it works. */
  readonly onMessage?: (text: Buffer) => void;
}

/** The commit that a git URL means now. */
export interface ResolvedGit {
  readonly url: GitUrl;
  /** The complete id: with the URL's remote and directory it says what files there are, so it can be part of a cache's key. */
  readonly commit: string;
  /** The full name of the branch or tag that led to it. */
  readonly ref: string | undefined;
}
