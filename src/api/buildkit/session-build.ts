import { invalid } from '#/base/errors.ts';
import type { BuildContext, BuildRequest, Output } from '#/builder/request.ts';
import type { BuildQuery } from '../build/build-query.ts';
import { queryWishes } from '../build/query-wishes.ts';
import type { Call } from '../call.ts';
import { registryCredentialsOf } from '../decode/registry-config.ts';
import { uploadOf } from '../input.ts';
import { empty } from '../respond.ts';
import { type ExporterChoice, outputOf } from './control/outputs.ts';
import type { BuildKitService } from './service.ts';
import { lentBy } from './session/lent.ts';
import type { ClientSession } from './session/session.ts';
import { TraceStream } from './trace-stream.ts';

/** In place of an address: the client's session has the files. */
const sessionRemote = 'client-session';
/** In place of an address, and in front of the id of a build: an archive comes in a request of its own. */
const uploadRemote = 'upload-request';

/** Answers `POST /build?version=2`: a build by BuildKit, told in its own messages. */
export async function buildWithSession(call: Call, query: BuildQuery): Promise<void> {
  const { engine } = call;
  const service = await engine.buildkit.service();
  const uploaded = `${uploadRemote}:`;
  if (query.id.startsWith(uploaded)) {
    const archive = await engine.builds.archives.receive(uploadOf(call), {
      name: 'context',
      signal: call.signal,
    });
    await service.uploads.give(query.id.slice(uploaded.length), archive, call);
    empty(call, 200);
    return;
  }
  using running = engine.builds.running.begin(query.id, call.signal);
  const { signal } = running;
  const stream = new TraceStream(call, query);
  try {
    await using stack = new AsyncDisposableStack();
    const session = query.session === '' ? undefined : await service.sessions.get(query.session, { signal });
    const build = { call, query, session, service, signal };
    const request = requestOf(build, await filesOf(build, stack));
    const { metadata } = await engine.builder.build(request, { signal, progress: stream.feed });
    await stream.end(metadata);
  } catch (error) {
    await stream.fail(error);
  }
}

interface SessionBuild {
  readonly call: Call;
  readonly query: BuildQuery;
  readonly session: ClientSession | undefined;
  readonly service: BuildKitService;
  readonly signal: AbortSignal;
}

type Files = Pick<BuildRequest, 'context' | 'dockerfile'>;

/** Where the files come from; the stack has what is to go after the build. */
async function filesOf(build: SessionBuild, stack: AsyncDisposableStack): Promise<Files> {
  const { call, query, session, service, signal } = build;
  const { remote, dockerfile: path } = query;
  const contexts = service.contextsOf({ session, attributes: new Map([['filename', path]]) }, stack);
  if (remote === sessionRemote) {
    const dockerfile = { kind: 'file', context: contexts.local('dockerfile'), path } as const;
    return { context: contexts.local('context'), dockerfile };
  }
  const sent = (context: BuildContext): Files => ({ context, dockerfile: { kind: 'file', context, path } });
  if (remote === uploadRemote) return sent(stack.use(await service.uploads.take(query.id, { signal })));
  if (remote !== '') return sent(contexts.remote(remote));
  const { archives } = call.engine.builds;
  return sent(stack.use(await archives.receive(uploadOf(call), { name: 'context', signal })));
}

function requestOf({ call, query, session }: SessionBuild, files: Files): BuildRequest {
  const credentials = registryCredentialsOf(call);
  const lent = lentBy(session);
  return {
    ...queryWishes(query),
    ...files,
    ...lent,
    registryAuth: {
      async credentials(host, options) {
        return credentials.get(host) ?? lent.registryAuth.credentials(host, options);
      },
    },
    outputs: outputsOf(query, { call, session }),
    cacheTo: isTrue(query.args.get('BUILDKIT_INLINE_CACHE'))
      ? [{ type: 'inline', attributes: new Map() }]
      : [],
  };
}

function isTrue(text: string = ''): boolean {
  return /^(1|t|true)$/i.test(text);
}

/** One at most, as for Docker; none is the image store. */
function outputsOf(
  { names }: BuildQuery,
  { call, session }: Pick<SessionBuild, 'call' | 'session'>,
): Output[] {
  const chosen = exporters(call.query.text('outputs'));
  if (chosen.length > 1) throw invalid('multiple outputs not supported');
  const [first = { type: 'moby', attributes: new Map<string, string>() }] = chosen;
  const output = outputOf(first, { index: 0, session });
  return [output.kind === 'image' || output.kind === 'registry' ? { ...output, names } : output];
}

/** `[{"Type":"local","Attrs":{…}}]`. */
function exporters(text: string): ExporterChoice[] {
  if (text === '') return [];
  const refused = (cause?: unknown): Error => invalid(`invalid outputs specified: ${text}`, cause);
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (error) {
    throw refused(error);
  }
  if (list === null) return [];
  if (!Array.isArray(list)) throw refused();
  return list.map((item: { Type?: unknown; Attrs?: unknown } | null): ExporterChoice => {
    const { Type: type, Attrs: attrs = {} } = item ?? {};
    if (typeof type !== 'string') throw refused();
    const entries = Object.entries(attrs ?? {});
    if (!entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')) throw refused();
    return { type, attributes: new Map(entries) };
  });
}
