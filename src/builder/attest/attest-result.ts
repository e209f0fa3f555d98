import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Descriptor } from '#/oci/descriptor.ts';
import { parseDigest } from '#/oci/digest.ts';
import { parseImageConfig } from '#/oci/image-config.ts';
import { familiarString, type Reference } from '#/oci/reference.ts';
import { Directory } from '#/storage/tree/directory.ts';
import { walkTree } from '#/storage/tree/walk-tree.ts';
import type { Attestation } from '../export/documents.ts';
import type { PlatformImage } from '../export/image-package.ts';
import { openRoots, type RootParts } from '../export/root.ts';
import type { AttestOptions } from './attest-options.ts';
import { type BuildFacts, provenance } from './provenance.ts';
import { type Inventory, scanRoot, shownPath } from './sbom/scan.ts';
import { sbom } from './spdx.ts';
import { imageSubjects, type Subject, statement } from './statement.ts';

/** What attestations are made of. */
export interface AttestParts {
  readonly options: AttestOptions;
  readonly facts: BuildFacts;
  readonly roots: RootParts;
  readonly signal: AbortSignal;
}

/** Says of the results of one build what was asked for. What a result contains is looked up once, however many outputs there are. */
export class ResultAttestations {
  readonly #parts: AttestParts;
  readonly #inventories: Map<PlatformImage, Promise<Inventory>>;

  constructor(parts: AttestParts, inventories: Map<PlatformImage, Promise<Inventory>> = new Map()) {
    this.#parts = parts;
    this.#inventories = inventories;
  }

  /** Those for one kind of output; `inline` are for images in registries only. */
  ofKind({ inline }: { inline: boolean }): ResultAttestations {
    if (inline) return this;
    const { provenance: asked, sbom: wanted } = this.#parts.options;
    const options = {
      provenance: asked?.inlineOnly === true ? undefined : asked,
      sbom: wanted?.inlineOnly === true ? undefined : wanted,
    };
    return new ResultAttestations({ ...this.#parts, options }, this.#inventories);
  }

  /** Nothing was asked for. */
  get isEmpty(): boolean {
    const { provenance: asked, sbom: wanted } = this.#parts.options;
    return asked === undefined && wanted === undefined;
  }

  /** Something was asked for in so many words, rather than for where there is a place for it anyway. */
  get isExplicit(): boolean {
    const { provenance: asked, sbom: wanted } = this.#parts.options;
    return [asked, wanted].some((one) => one?.inlineOnly === false);
  }

  /** Of an image under these names. */
  async ofImage(
    image: PlatformImage,
    manifest: Descriptor,
    names: readonly Reference[],
  ): Promise<Attestation[]> {
    const { options, facts } = this.#parts;
    const subjects = imageSubjects(names, image.platform, manifest.digest);
    const found: Attestation[] = [];
    if (options.sbom !== undefined) {
      const [name] = names;
      found.push(
        await this.#sbomOf(image, { subjects, name: name === undefined ? 'image' : familiarString(name) }),
      );
    }
    if (options.provenance !== undefined) {
      found.push(statement(subjects, provenance(facts, image.platform, options.provenance)));
    }
    return found;
  }

  /** Of files at `root`, by the names that they get beside them, which begin with `prefix`. */
  async ofFiles(
    image: PlatformImage,
    { root, prefix }: { root: string; prefix: string },
  ): Promise<Map<string, Buffer>> {
    const { options: wanted, facts } = this.#parts;
    const files = new Map<string, Buffer>();
    if (this.isEmpty) return files;
    const subjects = await this.#fileSubjects(root);
    if (wanted.sbom !== undefined) {
      files.set(`${prefix}sbom.spdx.json`, (await this.#sbomOf(image, { subjects, name: 'files' })).bytes);
    }
    if (wanted.provenance !== undefined) {
      const predicate = provenance(facts, image.platform, wanted.provenance);
      files.set(`${prefix}provenance.json`, statement(subjects, predicate).bytes);
    }
    return files;
  }

  async #sbomOf(
    image: PlatformImage,
    { subjects, name }: { subjects: readonly Subject[]; name: string },
  ): Promise<Attestation> {
    let inventory = this.#inventories.get(image);
    if (inventory === undefined) {
      inventory = this.#scan(image);
      this.#inventories.set(image, inventory);
    }
    // The image's own time, so that the same image gives the same document.
    const { created } = parseImageConfig(image.configBytes);
    const time = created === undefined ? this.#parts.facts.finished : new Date(created);
    return sbom(subjects, { inventory: await inventory, name, created: time });
  }

  async #scan(image: PlatformImage): Promise<Inventory> {
    const { roots, signal } = this.#parts;
    await using root = await openRoots([image], roots);
    return await scanRoot(root.path, { signal });
  }

  async #fileSubjects(root: string): Promise<Subject[]> {
    using top = Directory.open(root);
    const subjects: Subject[] = [];
    for (const { parent, name, path, stat } of walkTree(top)) {
      this.#parts.signal.throwIfAborted();
      if ((stat.mode & constants.S_IFMT) !== constants.S_IFREG) continue;
      const hash = createHash('sha256');
      await using file = await open(
        parent.pathOf(name),
        constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
      );
      for await (const chunk of file.createReadStream({ autoClose: false })) hash.update(chunk as Buffer);
      subjects.push({ name: shownPath(path), digest: parseDigest(`sha256:${hash.digest('hex')}`) });
    }
    return subjects;
  }
}
