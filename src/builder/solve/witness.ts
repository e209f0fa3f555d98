import { newId } from '#/base/ids.ts';
import type { SourceText } from '#/dockerfile/source.ts';
import type { Digest } from '#/oci/digest.ts';
import type { Platform } from '#/oci/platform.ts';
import { canonicalName, parseAnyReference } from '#/oci/reference.ts';
import type { ImageRecord } from '#/storage/images/record.ts';
import type { ImageStore } from '#/storage/images.ts';
import type { BuildFacts, Material, ProvenanceStep } from '../attest/provenance.ts';
import { inputsOf, type PlanNode, type StepNode } from '../plan/graph.ts';
import type { BuildRequest } from '../request.ts';
import { originOf } from '../sources/remote-contexts.ts';

/** Takes note of what a build uses and does, for its provenance. Of secrets only the names. */
export class Witness {
  readonly #started = new Date();
  readonly #id = newId();
  readonly #materials = new Map<string, Material>();
  readonly #secrets = new Map<string, { id: string; optional: boolean }>();
  readonly #ssh = new Map<string, { id: string; optional: boolean }>();
  readonly #steps = new Map<PlanNode, ProvenanceStep>();
  #reachesOut = false;

  /** An image that steps build on, by the name that it was asked for. */
  image(
    reference: string,
    { image, platform, images }: { image: ImageRecord; platform: Platform; images: ImageStore },
  ): void {
    const name = parseAnyReference(reference);
    if (typeof name === 'string') return;
    // What the registry calls it: an index, perhaps, of which this is one image.
    const known = images
      .namesOf(image.id)
      .find((one) => one.digest !== undefined && canonicalName(one) === canonicalName(name));
    this.material({ kind: 'image', name, platform, digest: known?.digest ?? image.manifest });
  }

  /** Something from elsewhere. */
  material(material: Material): void {
    this.#materials.set(JSON.stringify(material), material);
  }

  /** A step and what came of it. */
  step(node: StepNode, layer: Digest | undefined): void {
    const before = [...this.#steps.keys()];
    const inputs = inputsOf(node).flatMap((input) => {
      const index = before.indexOf(input);
      return index < 0 ? [] : [index];
    });
    this.#steps.set(node, { text: node.name, inputs, layer });
    if (node.kind !== 'run') return;
    if (node.run.network.kind !== 'none') this.#reachesOut = true;
    for (const mount of node.mounts) {
      const { kind } = mount;
      if (kind !== 'secret' && kind !== 'ssh') continue;
      const seen = kind === 'secret' ? this.#secrets : this.#ssh;
      seen.set(mount.id, { id: mount.id, optional: !mount.required });
    }
  }

  /** All that is known now. */
  facts(request: BuildRequest, source: SourceText): BuildFacts {
    const { dockerfile, context, namedContexts, target, args, labels } = request;
    const origin = originOf(context);
    const local = (own: typeof context): boolean => originOf(own) === undefined;
    const locals = local(context) ? ['context'] : [];
    if (dockerfile.kind === 'file' && dockerfile.context !== context) locals.push('dockerfile');
    for (const [name, named] of namedContexts)
      if (named.kind === 'tree' && local(named.context)) locals.push(name);
    return {
      id: this.#id,
      started: this.#started,
      finished: new Date(),
      source: origin,
      dockerfile: dockerfile.kind === 'file' ? dockerfile.path : dockerfile.name,
      target,
      args,
      labels,
      secrets: [...this.#secrets.values()],
      ssh: [...this.#ssh.values()],
      locals,
      materials: [...this.#materials.values()],
      steps: [...this.#steps.values()],
      dockerfileBytes: Buffer.from(source.lines.join('\n')),
      hermetic: !this.#reachesOut,
    };
  }
}
