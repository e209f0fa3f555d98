import type { BuildKitParts, BuildKitService } from './service.ts';

/** BuildKit's own API. What it is made of is loaded when the first client asks for it, as most daemons' clients never do. */
export class BuildKit {
  readonly #parts: BuildKitParts;
  #service: Promise<BuildKitService> | undefined;

  constructor(parts: BuildKitParts) {
    this.#parts = parts;
  }

  /** The API, loaded. */
  service(): Promise<BuildKitService> {
    this.#service ??= import('./service.ts').then(({ BuildKitService }) => new BuildKitService(this.#parts));
    return this.#service;
  }
}
