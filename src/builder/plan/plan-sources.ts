import { posix } from 'node:path';
import { digestOf } from '#/oci/digest.ts';
import type { ImageConfig } from '#/oci/image-config.ts';
import { formatPlatform, type Platform } from '#/oci/platform.ts';
import {
  canonicalString,
  familiarString,
  parseAnyReference,
  parseReference,
  withDefaultTag,
} from '#/oci/reference.ts';
import type { BuildContext, BuildRequest, NamedContext } from '../request.ts';
import type { ContextNode, CopyNode, ImageNode, PlanNode } from './graph.ts';

/** Finds out what an image is, before its files are needed. */
export type ImageLookup = (node: ImageNode) => Promise<ImageConfig>;

/** What a FROM begins with. */
interface Base {
  readonly tree: PlanNode;
  /** Undefined: it is no image but a tree of files. */
  readonly config: ImageConfig | undefined;
}

/** What is taken of a tree, and for what platform, if that matters. */
interface Take {
  readonly path: string;
  readonly platform: Platform;
}

/** How an image is asked for. */
interface Wanted {
  readonly platform: Platform;
  /** Of the vertex. */
  readonly name: string;
}

/**
 * Where the trees of a build come from: the client's contexts and images. It takes note of what of a context is needed, so
 * that no more travels.
 */
export class PlanSources {
  readonly #request: BuildRequest;
  readonly #lookup: ImageLookup;
  readonly #excludes: readonly string[];
  readonly #contexts = new Map<string, ContextPlan>();

  /** `excludes` are the patterns of the main context's ignore file. */
  constructor(
    request: BuildRequest,
    { lookup, excludes }: { lookup: ImageLookup; excludes: readonly string[] },
  ) {
    this.#request = request;
    this.#lookup = lookup;
    this.#excludes = excludes;
  }

  /** The main context, of which `path` (perhaps a pattern) is taken. */
  mainContext(path: string): ContextNode {
    return this.#contextNode('', this.#request.context, path);
  }

  /** Tells whether the client has said what the name stands for. */
  isNamed(name: string): boolean {
    return this.#named(name) !== undefined;
  }

  /** The tree that the client has given this name, if it has. */
  namedTree(name: string, take: Take): PlanNode | undefined {
    const named = this.#named(name);
    return named === undefined ? undefined : this.#treeOf(name, named, take);
  }

  /** An image, or the named context that stands for it. */
  image(reference: string, { platform, name }: Wanted): PlanNode {
    return this.namedTree(reference, { path: '/', platform }) ?? imageNode(reference, { platform, name });
  }

  /** What a FROM of this name begins with. */
  async base(reference: string, wanted: Wanted): Promise<Base> {
    const named = this.#named(reference);
    if (named?.kind === 'oci-layout') {
      const tree = layoutNode(reference, named, wanted.platform);
      return { tree, config: await this.#lookup(tree) };
    }
    if (named?.kind === 'tree') {
      const from = this.#treeOf(reference, named, { path: '/', ...wanted });
      return { tree: copyOf(from, wanted.name), config: undefined };
    }
    const tree = imageNode(named === undefined ? reference : named.reference, wanted);
    return { tree, config: await this.#lookup(tree) };
  }

  /** An image's name as progress shows it. */
  shownName(reference: string): string {
    const meaning = parseAnyReference(reference);
    return typeof meaning === 'string' ? meaning : canonicalString(withDefaultTag(meaning));
  }

  #named(name: string): NamedContext | undefined {
    const { namedContexts } = this.#request;
    return namedContexts.get(name) ?? namedContexts.get(familiar(name));
  }

  #treeOf(name: string, named: NamedContext, { path, platform }: Take): PlanNode {
    switch (named.kind) {
      case 'tree':
        return this.#contextNode(name, named.context, path);
      case 'image':
        return imageNode(named.reference, {
          platform,
          name: `[context ${name}] ${named.reference}`,
        });
      case 'oci-layout':
        return layoutNode(name, named, platform);
      default:
        return named satisfies never;
    }
  }

  #contextNode(name: string, context: BuildContext, path: string): ContextNode {
    let plan = this.#contexts.get(name);
    if (plan === undefined) {
      plan = new ContextPlan(name, context, name === '' ? this.#excludes : []);
      this.#contexts.set(name, plan);
    }
    plan.take(path);
    return plan.node;
  }
}

/** Of a context, what is needed of it. */
class ContextPlan {
  readonly node: ContextNode;
  readonly #paths = new Set<string>();
  #all = false;

  constructor(name: string, context: BuildContext, excludes: readonly string[]) {
    this.node = {
      kind: 'context',
      digest: digestOf(`context ${name}`),
      name: name === '' ? '[internal] load build context' : `[context ${name}] load from client`,
      context,
      wish: () => ({
        excludes,
        ...(this.#all ? {} : { followPaths: [...this.#paths].toSorted() }),
      }),
    };
  }

  take(path: string): void {
    // No path leads out.
    const inside = posix.resolve('/', path).slice(1);
    if (inside === '') this.#all = true;
    else this.#paths.add(inside);
  }
}

/** A layer with everything that the tree has. */
function copyOf(from: PlanNode, name: string): CopyNode {
  return {
    kind: 'copy',
    digest: digestOf(JSON.stringify(['all of', from.digest])),
    name,
    parent: undefined,
    place: name,
    range: undefined,
    noCache: false,
    sources: [{ kind: 'files', from, pattern: '/' }],
    destination: '/',
    chown: undefined,
    chmod: undefined,
    excludes: [],
    parents: false,
    link: false,
    unpack: 'never',
  };
}

function imageNode(reference: string, { platform, name }: Wanted): ImageNode {
  const meaning = parseAnyReference(reference);
  const text = typeof meaning === 'string' ? meaning : familiarString(withDefaultTag(meaning));
  return {
    kind: 'image',
    digest: digestOf(JSON.stringify(['image', text, formatPlatform(platform)])),
    name,
    reference: text,
    platform,
  };
}

function layoutNode(
  name: string,
  { context, reference }: Extract<NamedContext, { readonly kind: 'oci-layout' }>,
  platform: Platform,
): ImageNode {
  return {
    kind: 'image',
    digest: digestOf(JSON.stringify(['oci-layout', name, reference, formatPlatform(platform)])),
    name: `[context ${name}] OCI load from client`,
    reference,
    platform,
    layout: context,
  };
}

/** A name as people give it: without the registry and tag that are meant anyway. */
function familiar(name: string): string {
  try {
    return familiarString(parseReference(name)).replace(/:latest$/, '');
  } catch {
    // It is no name of an image, but may be one of a context.
    return name;
  }
}
