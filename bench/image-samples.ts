import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { encodeDockerArchive } from '#/oci/docker-archive.ts';
import { encodeImageConfig } from '#/oci/image-config.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { hostPlatform } from '#/oci/platform.ts';
import { parseReference } from '#/oci/reference.ts';
import { fileHeader } from '#/tar/tar-entry.ts';
import { type TarInput, writeTar } from '#/tar/tar-writer.ts';

/** The images that are measured with: names as they are in the archives. */
export const largeImage = 'bench-large:1';
const smallImages = 200;
const largeLayers = 5;
const filesPerLayer = 6000;
/** Mean bytes of a file: 1.4 GB in all. */
const meanFile = 47_000;

/** The name of the small image `n`. */
export function smallImage(n: number): string {
  return `bench-small-${n}:1`;
}

/** All small images. */
export const smallNames: readonly string[] = Array.from({ length: smallImages }, (_, n) => smallImage(n));

/** Makes `large.tar` and `small.tar` in a directory, as `docker save` would, unless they are there. The same each time. */
export async function makeSamples(directory: string): Promise<{ large: string; small: string }> {
  mkdirSync(directory, { recursive: true });
  const large = join(directory, 'large.tar');
  const small = join(directory, 'small.tar');
  if (!existsSync(large)) {
    await writeArchive(large, [
      { name: largeImage, layers: Array.from({ length: largeLayers }, (_, n) => () => largeLayer(n)) },
    ]);
  }
  if (!existsSync(small)) {
    await writeArchive(
      small,
      smallNames.map((name, n) => ({ name, layers: [() => [textFile(`id-${n}`, `image ${n}\n`)]] })),
    );
  }
  return { large, small };
}

type Layer = () => Iterable<TarInput>;

interface Sample {
  readonly name: string;
  readonly layers: readonly Layer[];
}

async function writeArchive(path: string, samples: readonly Sample[]): Promise<void> {
  await pipeline(writeTar(entriesOf(samples)), createWriteStream(`${path}.new`));
  renameSync(`${path}.new`, path);
}

async function* entriesOf(samples: readonly Sample[]): AsyncGenerator<TarInput> {
  const described: Parameters<typeof encodeDockerArchive>[0][number][] = [];
  for (const { name, layers } of samples) {
    const found: {
      path: string;
      diffId: Digest;
      descriptor: { mediaType: string; size: number; digest: Digest };
    }[] = [];
    for (const layer of layers) {
      // Twice: for the digest, which is the name in the archive, and for the content.
      const { digest, size } = await digestOfTar(layer());
      const file = `blobs/sha256/${digest.slice(7)}`;
      if (!found.some(({ path }) => path === file))
        yield { ...fileHeader(file, size), body: writeTar(layer()) };
      found.push({ path: file, diffId: digest, descriptor: { mediaType: mediaTypes.layer, size, digest } });
    }
    const config = encodeImageConfig({
      ...hostPlatform(),
      author: '',
      created: '2026-01-01T00:00:00Z',
      comment: '',
      dockerVersion: '',
      config: { Cmd: ['true'] },
      diffIds: found.map(({ diffId }) => diffId),
      history: found.map(() => ({ createdBy: 'bench', author: '', comment: '', emptyLayer: false })),
    });
    const configPath = `blobs/sha256/${digestOf(config).slice(7)}`;
    yield { ...fileHeader(configPath, config.length), body: [config] };
    described.push({ config: configPath, names: [parseReference(name)], parent: undefined, layers: found });
  }
  const manifest = encodeDockerArchive(described);
  yield { ...fileHeader('manifest.json', manifest.length), body: [manifest] };
}

async function digestOfTar(entries: Iterable<TarInput>): Promise<{ digest: Digest; size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of writeTar(entries)) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { digest: `sha256:${hash.digest('hex')}` as Digest, size };
}

/** Files of many sizes in many directories, of a content that gzip makes a third as large, like that of real images. */
function* largeLayer(layer: number): Generator<TarInput> {
  const random = generator(layer + 1);
  for (let n = 0; n < filesPerLayer; n += 1) {
    if (n % 30 === 0) {
      yield { ...fileHeader(directoryOf(layer, n), 0), kind: 'directory', mode: 0o755 };
    }
    // Exponentially distributed sizes, as those of a Debian system nearly are.
    const size = Math.min(2_000_000, Math.ceil(-Math.log(1 - random()) * meanFile));
    yield { ...fileHeader(`${directoryOf(layer, n)}file-${n}`, size), body: [contentOf(size, random)] };
  }
}

function directoryOf(layer: number, n: number): string {
  return `usr/l${layer}-d${Math.floor(n / 30)}/`;
}

/** A third of the bytes is noise, the rest repeats a text. */
function contentOf(size: number, random: () => number): Buffer {
  const content = Buffer.alloc(size);
  for (let at = 0; at < size; ) {
    const noise = Math.floor(random() * 200);
    for (let i = 0; i < noise && at < size; i += 1, at += 1) content[at] = Math.floor(random() * 256);
    const start = Math.floor(random() * 1000);
    const length = Math.floor(random() * 400);
    at += phrase.copy(content, at, start, start + Math.min(length, size - at));
  }
  return content;
}

const phrase = Buffer.from(
  'The quick brown fox jumps over the lazy dog while seventy-seven benevolent elephants watch the market square; '.repeat(
    20,
  ),
);

function textFile(path: string, text: string): TarInput {
  return { ...fileHeader(path, text.length), body: [Buffer.from(text)] };
}

/** Numbers from 0 to 1 that are the same in each run (mulberry32). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
