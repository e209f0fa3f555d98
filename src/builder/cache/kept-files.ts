import type { CacheKind } from './record.ts';

/** Files from elsewhere that are kept, to be fetched again in part or not at all. */
export interface KeptFiles {
  /** One component, unique among all that is kept. */
  readonly id: string;
  readonly kind: CacheKind;
  /** Whose they are, for people; without passwords. */
  readonly description: string;
  readonly inUse: boolean;
  /** Bytes. */
  readonly size: number;
  readonly created: Date;
  readonly used: Date;
}

/** Somebody who keeps files from elsewhere. */
export interface FileKeeper {
  /** What there is, measured. */
  kept(): Promise<KeptFiles[]>;
  /** Removes some of it. False: it is in use, or gone already. */
  forget(id: string): Promise<boolean>;
}
