/** A container as far as its image is concerned. */
export interface ImageUser {
  readonly id: string;
  readonly name: string;
  /** It runs, is paused, or is about to be restarted. */
  readonly running: boolean;
}

/** Tells which containers use an image. The containers implement it: images do not know them. */
export interface ImageUsers {
  containersUsing(imageId: string): readonly ImageUser[];
}
