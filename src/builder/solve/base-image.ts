import { EngineError } from '#/base/errors.ts';
import { digestOf } from '#/oci/digest.ts';
import { canonicalString, parseAnyReference, withDefaultTag } from '#/oci/reference.ts';
import type { ImageRecord } from '#/storage/images/record.ts';
import type { BaseImages } from '../images/base-images.ts';
import type { ImageNode } from '../plan/graph.ts';
import type { ProgressSink, Status } from '../progress.ts';
import type { BuildRequest } from '../request.ts';
import { WordedError } from '../worded-error.ts';
import { VertexReport } from './vertex-report.ts';

/** What images are got with. */
interface BaseImageParts {
  readonly images: BaseImages;
  readonly request: BuildRequest;
  readonly progress: ProgressSink;
  readonly signal: AbortSignal;
}

/**
 * Gets an image with its layers. Progress shows two things, as BuildKit does: finding out what it is, then bringing it here.
 * Throws `WordedError` if it cannot be found, and what registries answer.
 */
export async function loadBaseImage(node: ImageNode, parts: BaseImageParts): Promise<ImageRecord> {
  const { images, request, progress, signal } = parts;
  const { reference, platform, layout } = node;
  const report = VertexReport.of(node, progress);
  if (layout !== undefined) {
    const control = { signal, progress: (status: Status) => report.status(status) };
    const load = async (): Promise<ImageRecord> => {
      await using tree = await layout.open({ excludes: [] }, control);
      return await images.fromLayout(tree.root, { reference, platform, signal });
    };
    return report.during(load, ({ chainId }) => ({ result: chainId }));
  }
  const name = canonicalName(reference);
  const metadata = new VertexReport(
    { digest: digestOf(`metadata ${node.digest}`), name: `[internal] load metadata for ${name}`, inputs: [] },
    progress,
  );
  metadata.start();
  let isKnown = false;
  const known = (): void => {
    if (isKnown) return;
    isKnown = true;
    metadata.end();
    report.start();
  };
  const onStatus = (status: Status): void => {
    known();
    report.status(status);
  };
  try {
    const wish = { platform, pull: request.pull, auth: request.registryAuth };
    const image = await images.resolve(reference, { ...wish, signal, progress: onStatus });
    known();
    report.end({ result: image.chainId });
    return image;
  } catch (error) {
    const isUnknown = !isKnown && error instanceof EngineError;
    const said = isUnknown ? unresolved(error, { reference, name }) : error;
    (isKnown ? report : metadata).end({ error: said });
    throw said;
  }
}

function unresolved(
  error: EngineError,
  { reference, name }: { reference: string; name: string },
): EngineError {
  const short = reference.replace(/:latest$/, '');
  return new WordedError(`${short}: failed to resolve source metadata for ${name}: ${error.message}`, error);
}

/** With registry and tag; identifiers stay as they are. */
function canonicalName(reference: string): string {
  const meaning = parseAnyReference(reference);
  return typeof meaning === 'string' ? meaning : canonicalString(withDefaultTag(meaning));
}
