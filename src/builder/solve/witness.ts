import { newId } from '#/base/ids.ts';
import type { SourceText } from '#/dockerfile/source.ts';
import type { Platform } from '#/oci/platform.ts';
import { canonicalName, parseAnyReference } from '#/oci/reference.ts';
import type { ImageRecord } from '#/storage/images/record.ts';
import type { ImageStore } from '#/storage/images.ts';
import { frontendArgs } from '../attest/frontend-args.ts';
import type { BuildFacts, Material } from '../attest/provenance.ts';
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

  /** A step that was carried out, or was in the cache. */
  step(node: StepNode): void {
    if (node.kind !== 'run') return;
    if (node.run.network.kind !== 'none') this.#reachesOut = true;
    for (const mount of node.mounts) {
      const { kind } = mount;
      if (kind !== 'secret' && kind !== 'ssh') continue;
      const seen = kind === 'secret' ? this.#secrets : this.#ssh;
      seen.set(mount.id, { id: mount.id, optional: !mount.required });
    }
  }

  /** All that is known now, with what had to be done for each platform. */
  facts(
    request: BuildRequest,
    { source, results }: { source: SourceText; results: BuildFacts['results'] },
  ): BuildFacts {
    const { dockerfile, context } = request;
    const origin = originOf(context);
    const locals = localContexts(results.values());
    if (dockerfile.kind === 'file' && originOf(dockerfile.context) === undefined) locals.add('dockerfile');
    return {
      id: this.#id,
      started: this.#started,
      finished: new Date(),
      source: origin,
      dockerfile: dockerfile.kind === 'file' ? dockerfile.path : dockerfile.name,
      args: frontendArgs(request),
      vcs: request.vcs ?? new Map(),
      secrets: [...this.#secrets.values()],
      ssh: [...this.#ssh.values()],
      locals: [...locals],
      materials: [...this.#materials.values()],
      results,
      dockerfileBytes: Buffer.from(source.lines.join('\n')),
      hermetic: !this.#reachesOut,
    };
  }
}

/** Names of the contexts that a client has sent for results. */
function localContexts(results: Iterable<PlanNode | undefined>): Set<string> {
  const names = new Set<string>();
  const seen = new Set<PlanNode>();
  const visit = (node: PlanNode): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (node.kind === 'context' && originOf(node.context) === undefined) names.add(node.context.name);
    for (const input of inputsOf(node)) visit(input);
  };
  for (const result of results) if (result !== undefined) visit(result);
  return names;
}
