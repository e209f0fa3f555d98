import { shortId } from '#/base/ids.ts';
import type { LoadedImage } from '#/engine/images.ts';
import { encodeProgress } from '#/wire/json-stream.ts';
import { compareVersions } from '#/wire/version.ts';
import type { Call } from '../call.ts';
import { platformParam } from '../decode/platform.ts';
import { failureOf } from '../errors.ts';
import { uploadOf } from '../input.ts';
import { beginStream, endAfterUpload } from '../respond.ts';

/** Between two reports on one layer, in milliseconds. */
const reportInterval = 100;

/**
 * `POST /images/load`. Failures are told inside of the stream, with a status of 200, as clients expect. Without progress it only
 * begins when all is loaded: there are clients that hang up as soon as it does.
 */
export async function loadImages(call: Call): Promise<void> {
  const { engine, query, response, version, signal } = call;
  const platform = compareVersions(version, '1.48') < 0 ? undefined : platformParam(call);
  const quiet = query.bool('quiet', true);
  if (!quiet) beginStream(call, 'application/json');
  try {
    const progress = quiet ? {} : { onProgress: reporter((line) => response.write(line)) };
    const loaded = await engine.images.load(uploadOf(call), { platform, signal, ...progress });
    if (quiet) beginStream(call, 'application/json');
    for (const image of loaded)
      for (const line of linesFor(image)) response.write(encodeProgress({ stream: line }));
  } catch (error) {
    if (!response.headersSent) beginStream(call, 'application/json');
    const { message, isBug } = failureOf(error);
    if (isBug) call.log.error('loading images failed', { error });
    response.write(encodeProgress({ errorDetail: { message }, error: message }));
  }
  endAfterUpload(response);
}

function* linesFor({ id, names }: LoadedImage): Generator<string> {
  for (const { name, previous } of names) {
    if (previous !== undefined) {
      yield `The image ${name} already exists, renaming the old one with ID ${previous} to empty string\n`;
    }
    yield `Loaded image: ${name}\n`;
  }
  if (names.length === 0) yield `Loaded image ID: ${id}\n`;
}

/** Reports each layer now and then, and always its end. */
function reporter(
  write: (line: string) => void,
): (progress: { diffId: string; current: number; total: number }) => void {
  const last = new Map<string, number>();
  return ({ diffId, current, total }) => {
    const now = performance.now();
    if (current < total && now - (last.get(diffId) ?? 0) < reportInterval) return;
    last.set(diffId, now);
    const progressDetail = { current, total };
    write(encodeProgress({ status: 'Loading layer', progressDetail, id: shortId(diffId) }));
  };
}
