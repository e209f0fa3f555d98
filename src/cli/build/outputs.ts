import { messageOf } from '#/base/errors.ts';
import { parseReference, withDefaultTag } from '#/oci/reference.ts';
import type { OutputDocument } from '#/wire/build.ts';
import { parseGoBool } from '../flags/flag.ts';
import { type Attributes, parseAttributes } from './attributes.ts';
import type { BuildFlags } from './flags.ts';

/** Where a result goes that ends on this machine. */
export type ClientSink =
  /** An archive. */
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'stdout' }
  /** A folder that files are put into. */
  | { readonly kind: 'folder'; readonly path: string }
  /** A folder that is or becomes an OCI image layout. */
  | { readonly kind: 'layout'; readonly path: string };

/** An output, and where on this machine it ends if it does. */
export interface ClientOutput {
  readonly document: OutputDocument;
  readonly sink: ClientSink | undefined;
}

type OutputFlags = Pick<BuildFlags, 'annotation' | 'load' | 'output' | 'push' | 'tag'>;

/** What `--output`, `--load`, `--push` and `--annotation` say; the image store if they say nothing. Throws an Error. */
export function parseOutputs(flags: OutputFlags, { isTerminal }: { isTerminal: boolean }): ClientOutput[] {
  const texts = [
    ...flags.output.filter((text) => text !== ''),
    ...(flags.load ? ['type=docker'] : []),
    ...(flags.push ? ['type=registry'] : []),
  ];
  const annotations = parseAnnotations(flags.annotation);
  const outputs = (texts.length === 0 ? ['type=image'] : texts).map((text, index) =>
    parseOutput(text, { stream: `output-${index}`, isTerminal, annotations }),
  );
  for (const { document } of outputs) checkNames(document, flags.tag);
  if (outputs.filter(({ sink }) => sink?.kind === 'stdout').length > 1) {
    throw new Error('only one output can go to standard output');
  }
  return outputs;
}

interface ParseOptions {
  /** The name of the stream, if the output needs one. */
  readonly stream: string;
  readonly isTerminal: boolean;
  readonly annotations: Readonly<Record<string, string>>;
}

function parseOutput(text: string, { stream, isTerminal, annotations }: ParseOptions): ClientOutput {
  const { type, values } = shortForm(text) ?? parseAttributes('output', text);
  const { dest, tar, ...given } = values;
  const isArchive = tar === undefined || readFlag(text, { tar });
  const attributes = isImage(type) ? { ...annotations, ...given } : given;
  const toClient = (sink: ClientSink): ClientOutput => ({
    document: { Type: type, Attributes: attributes, Stream: stream },
    sink,
  });
  switch (type) {
    case 'docker':
    case 'oci':
      if (!isArchive) return toClient({ kind: 'layout', path: folderPath(dest, type) });
      if (type === 'docker' && (dest === undefined || dest === '')) return inStore('image', attributes);
      return toClient(archiveSink(dest ?? '-', { type, isTerminal }));
    case 'tar':
      return toClient(archiveSink(dest ?? '-', { type, isTerminal }));
    case 'local':
      return toClient({ kind: 'folder', path: folderPath(dest, type) });
    case 'image':
    case 'registry':
    case 'cacheonly':
      if (dest !== undefined) throw new Error(`dest is not used by the ${type} exporter`);
      return inStore(type, attributes);
    case '':
      throw new Error(`type is required for output ${JSON.stringify(text)}`);
    default:
      throw new Error(`exporter ${JSON.stringify(type)} could not be found`);
  }
}

const isImage = (type: string): boolean => ['image', 'registry', 'docker', 'oci'].includes(type);

function inStore(Type: string, Attributes: Readonly<Record<string, string>>): ClientOutput {
  return { document: { Type, Attributes }, sink: undefined };
}

/** `-` is an archive of the files on standard output, a path a folder for them. */
function shortForm(text: string): Attributes | undefined {
  if (text === '-') return { type: 'tar', values: { dest: '-' } };
  return text.includes('=') ? undefined : { type: 'local', values: { dest: text } };
}

function folderPath(dest: string | undefined, type: string): string {
  if (dest === undefined || dest === '') throw new Error(`dest is required for ${type} exporter`);
  if (dest === '-') throw new Error(`dest cannot be stdout for ${type} exporter`);
  return dest;
}

/** The value of `tar`. Throws an Error if it is neither true nor false. */
function readFlag(text: string, { tar }: { tar: string }): boolean {
  const value = parseGoBool(tar);
  if (value !== undefined) return value;
  throw new Error(
    `invalid value ${JSON.stringify(tar)} for tar in --output ${JSON.stringify(text)}: true for an archive, false for a folder`,
  );
}

function archiveSink(path: string, { type, isTerminal }: { type: string; isTerminal: boolean }): ClientSink {
  if (path !== '-' && path !== '') return { kind: 'file', path };
  if (isTerminal) throw new Error(`dest file is required for ${type} exporter. refusing to write to console`);
  return { kind: 'stdout' };
}

/** Where an image is pushed to must be said, and said well. */
function checkNames({ Type, Attributes = {} }: OutputDocument, tags: readonly string[]): void {
  const named = (Attributes['name'] ?? '').split(',').filter((name) => name !== '');
  for (const name of named) checkTag(name);
  const pushes = Type === 'registry' || ['true', '1', ''].includes(Attributes['push'] ?? 'false');
  if (pushes && named.length === 0 && tags.length === 0) {
    throw new Error('tag is needed when pushing to registry');
  }
}

/** A name for the image, with the tag `latest` if it has none. Throws an Error in docker's words. */
export function checkTag(text: string): string {
  try {
    const reference = parseReference(text);
    if (reference.digest !== undefined) throw new Error('it has a digest');
    withDefaultTag(reference);
  } catch (error) {
    throw new Error(`invalid tag ${JSON.stringify(text)}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  return text;
}

/** `[index|manifest|…:]name=value` as the attributes that exporters know. */
function parseAnnotations(texts: readonly string[]): Record<string, string> {
  const entries = texts.flatMap((text) => {
    const at = text.indexOf('=');
    const whole = text.slice(0, Math.max(0, at));
    const prefix = /^([a-z,-]+(?:\[[^\]]*\])?(?:,[a-z-]+(?:\[[^\]]*\])?)*):/.exec(whole)?.[1];
    const name = prefix === undefined ? whole : whole.slice(prefix.length + 1);
    if (name === '') throw new Error(`invalid annotation ${JSON.stringify(text)}, expected key=value`);
    return (prefix?.split(',') ?? ['']).map((kind): [string, string] => {
      if (!/^(?:|(?:index|manifest|index-descriptor|manifest-descriptor)(?:\[.*\])?)$/.test(kind)) {
        throw new Error(`unknown annotation type ${JSON.stringify(kind)}`);
      }
      return [kind === '' ? `annotation.${name}` : `annotation-${kind}.${name}`, text.slice(at + 1)];
    });
  });
  return Object.fromEntries(entries);
}
