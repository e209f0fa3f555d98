import { invalid } from '#/base/errors.ts';
import { storeSink } from '#/builder/export/store-sink.ts';
import type { Output } from '#/builder/request.ts';
import { parseReference, type Reference, withDefaultTag } from '#/oci/reference.ts';
import { clientArchive, clientTree } from '../filesync/file-send.ts';
import { outputFolder } from '../session/content.ts';
import type { ClientSession } from '../session/session.ts';
import { type Attributes, flagAt } from './attributes.ts';

/** Where a client wants a result: the type and its options, as after `--output`. */
export interface ExporterChoice {
  readonly type: string;
  readonly attributes: Attributes;
}

/** What becomes of exporters: `index` counts them from 0, as the client does. Undefined without a session. */
export function outputOf(
  { type, attributes }: ExporterChoice,
  { index, session }: { index: number; session: ClientSession | undefined },
): Output {
  const names = namesIn(attributes.get('name') ?? '');
  const options = new Map([...attributes].filter(([name]) => !ours.has(name)));
  switch (type) {
    case '':
    case 'cacheonly':
      return { kind: 'cacheonly' };
    case 'moby':
    case 'image': {
      const push = flagAt(attributes, 'push') ?? false;
      if (!push) return { kind: 'image', names, options };
      if (names.length === 0) throw invalid('tag is needed when pushing to registry');
      return { kind: 'registry', names, store: flagAt(attributes, 'store') ?? true, options };
    }
    case 'docker':
    case 'oci': {
      const owner = required(session);
      const isArchive = flagAt(attributes, 'tar') ?? true;
      const sink = isArchive ? clientArchive(owner, index) : storeSink(outputFolder(owner));
      return { kind: type, names, sink, options };
    }
    case 'tar':
      return { kind: 'tar', sink: clientArchive(required(session), index), options };
    case 'local':
      return { kind: 'local', sink: clientTree(required(session), index), options };
    default:
      throw invalid(`exporter ${JSON.stringify(type)} could not be found`);
  }
}

/** Options that say what is said otherwise here. */
const ours: ReadonlySet<string> = new Set(['name', 'push', 'store', 'tar', 'dest']);

function namesIn(list: string): Reference[] {
  const names = list.split(',').map((name) => name.trim());
  return names.filter((name) => name !== '').map((name) => withDefaultTag(parseReference(name)));
}

function required(session: ClientSession | undefined): ClientSession {
  if (session === undefined) throw invalid('this kind of output needs a session of the client');
  return session;
}
