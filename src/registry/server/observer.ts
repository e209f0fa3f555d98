import type { Digest } from '#/oci/digest.ts';

/** Who caused a fact and from where. */
export interface Actor {
  /** The user's name; undefined for nobody in particular. */
  readonly user: string | undefined;
  /** Address of the client. */
  readonly remote: string | undefined;
  /** The client's User-Agent. */
  readonly agent: string | undefined;
}

/** Content in a repository. */
interface Content {
  readonly repository: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly actor: Actor;
}

/** Something that has happened, told after it is durable. */
export type Fact =
  | ({
      readonly kind: 'manifestPushed';
      readonly mediaType: string;
      readonly tags: readonly string[];
    } & Content)
  | ({
      readonly kind: 'manifestPulled';
      readonly mediaType: string;
      readonly tag: string | undefined;
    } & Content)
  | {
      readonly kind: 'manifestDeleted';
      readonly repository: string;
      readonly digest: Digest;
      readonly actor: Actor;
    }
  | { readonly kind: 'tagDeleted'; readonly repository: string; readonly tag: string; readonly actor: Actor }
  | ({ readonly kind: 'blobPushed' } & Content)
  | ({ readonly kind: 'blobMounted'; readonly from: string } & Content)
  | ({ readonly kind: 'blobPulled' } & Content)
  | {
      readonly kind: 'blobDeleted';
      readonly repository: string;
      readonly digest: Digest;
      readonly actor: Actor;
    }
  | {
      readonly kind: 'collected';
      /** Blobs removed from the storage and their bytes. */
      readonly blobs: number;
      readonly bytes: number;
    }
  | RequestFact;

/** A request has been answered, or its client has gone. */
export interface RequestFact {
  readonly kind: 'request';
  readonly method: string;
  /** Path without query, as it was sent. */
  readonly path: string;
  /** What the path means, for metrics: `manifest`, `blob`, `upload`, …; `none` when there is no such place. */
  readonly place: string;
  readonly repository: string | undefined;
  readonly status: number;
  /** False: the client hung up before the answer was complete. */
  readonly complete: boolean;
  /** Milliseconds. */
  readonly duration: number;
  /** Bytes that the connection took and gave meanwhile, headers included. */
  readonly received: number;
  readonly sent: number;
  readonly actor: Actor;
}

/** Is told every fact. It must not throw and must not take long: what waits goes into a queue of its own. */
export interface Observer {
  observe(fact: Fact): void;
}

/** Tells each of `observers`. */
export function observers(...all: readonly Observer[]): Observer {
  return {
    observe: (fact) => {
      for (const observer of all) observer.observe(fact);
    },
  };
}
