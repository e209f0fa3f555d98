import { invalid } from '#/base/errors.ts';
import type { BuildResult } from '#/builder/build.ts';
import { DockerfileError } from '#/dockerfile/errors.ts';
import type { ContextWanted } from '#/wire/build.ts';
import type { BuildFailure, BuildOutcome, BuildStatus } from '#/wire/build-status.ts';
import { encodeProgress } from '#/wire/json-stream.ts';
import { buildDocument } from '../build/build-document.ts';
import { requestOf } from '../build/document-request.ts';
import { ListedContext } from '../build/listed-context.ts';
import { presentBuildEvent } from '../build/present-status.ts';
import type { BuildSession } from '../build/session.ts';
import { stepShell } from '../build/step-shell.ts';
import type { Call, Route } from '../call.ts';
import { failureOf } from '../errors.ts';
import { hijack } from '../hijack.ts';
import { readJson, terminalSize, uploadOf } from '../input.ts';
import { beginStream, drained, empty, json } from '../respond.ts';

/** Bytes: secrets and a Dockerfile, in base64, and everything else. */
const maxDocument = 64 * 1024 * 1024;

/**
 * Skiff's own way to build, for what Docker's API has no words: docs/BUILD-API.md tells it. What is wrong with the request
 * has a status of its own; all that comes later is told in the stream.
 */
async function build(call: Call): Promise<void> {
  const document = await readJson(call, buildDocument, { required: true, maxSize: maxDocument });
  const { builds, builder } = call.engine;
  const session = builds.sessions.join(document.Session);
  try {
    const request = requestOf(document, session, {
      remote: (url, access) => {
        const context = builder.remoteContext(url, access);
        if (context === undefined) throw invalid(`${JSON.stringify(url)} is not the URL of a context`);
        return context;
      },
      empty: builds.archives.empty,
    });
    beginStream(call, 'application/json');
    const { signal } = call;
    const result = await builder.build(request, {
      signal,
      debugger: stepShell(document, session, (status) => tell(call, status)),
      progress: (event) => {
        const status = presentBuildEvent(event);
        return status === undefined ? undefined : tell(call, status);
      },
    });
    await tell(call, { result: outcomeOf(result) });
    call.response.end();
  } catch (error) {
    if (!call.response.headersSent) throw error;
    fail(call, error);
  } finally {
    await builds.sessions.end(document.Session);
  }
}

function tell({ response, signal }: Call, status: BuildStatus): undefined | Promise<void> {
  response.write(encodeProgress({ aux: status }));
  return response.writableNeedDrain && !signal.aborted ? drained(response, signal) : undefined;
}

function fail(call: Call, error: unknown): void {
  const { message, isBug } = failureOf(error);
  if (isBug && !call.signal.aborted) call.log.error('build failed', { error });
  const failure = failureDetails(error);
  call.response.end(
    encodeProgress({ aux: { failure } satisfies BuildStatus, errorDetail: { message }, error: message }),
  );
}

function failureDetails(error: unknown): BuildFailure {
  if (!(error instanceof DockerfileError)) return {};
  return { excerpt: error.excerpt, ...(error.hint !== undefined && { hint: error.hint }) };
}

function outcomeOf({ image, metadata }: BuildResult): BuildOutcome {
  return {
    image: image ?? '',
    metadata: Object.fromEntries([...metadata].map(([name, text]) => [name, parsed(name, text)])),
  };
}

/** Descriptors and attestations are JSON, names and digests are not. */
function parsed(name: string, text: string): unknown {
  if (!/^[[{]/.test(text) || name === 'image.name') return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Takes a context as an archive. */
async function archive(call: Call): Promise<void> {
  const { session, name } = part(call);
  await takeContext(call, async () => {
    const { archives } = call.engine.builds;
    await session.addContext(name, await archives.receive(counted(call), { name, signal: call.signal }));
    empty(call);
  });
}

/** Takes the list of a context's files and answers with those whose content is wanted. */
async function list(call: Call): Promise<void> {
  const { session, name } = part(call);
  const key = call.query.text('key');
  if (!/^[0-9a-f]{64}$/.test(key)) throw invalid('the parameter key must be a SHA-256 digest in hexadecimal');
  await takeContext(call, async () => {
    const { contexts } = call.engine.builds;
    const options = { contexts, key: `list ${key}`, signal: call.signal };
    const files = await ListedContext.receive(uploadOf(call), options);
    if (files.wanted.length > 0) await session.addPending(name, files);
    else await session.addContext(name, await files.receive(nothing(), () => {}));
    json(call, { Wanted: files.wanted.map(({ index }) => index) } satisfies ContextWanted);
  });
}

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {}

/** Takes the content of listed files. */
async function contents(call: Call): Promise<void> {
  const { session, name } = part(call);
  await takeContext(call, async () => {
    const files = session.takePending(name);
    await session.addContext(
      name,
      await files.receive(uploadOf(call), (bytes) => session.addTransferred(name, bytes)),
    );
    empty(call);
  });
}

/** Whoever waits for a context hears that it does not come. */
async function takeContext(call: Call, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const { session, name } = part(call);
    session.failContext(name, error);
    throw error;
  }
}

async function* counted(call: Call): AsyncGenerator<Uint8Array, void, undefined> {
  const { session, name } = part(call);
  for await (const chunk of uploadOf(call)) {
    session.addTransferred(name, chunk.length);
    yield chunk;
  }
}

/** Takes a connection that waits until the build asks for an agent or has an output. */
async function stream(call: Call): Promise<void> {
  const { session, name } = part(call);
  if (call.upgraded === undefined) throw invalid('a stream of a build needs an upgrade of the connection');
  session.addStream(name, hijack(call, true));
}

/** Takes the size that the client's terminal has now, for shells in steps. */
async function resize(call: Call): Promise<void> {
  call.engine.builds.sessions.get(call.query.text('session')).resize(terminalSize(call.query));
  empty(call, 200);
}

function part({ engine, query }: Call): { session: BuildSession; name: string } {
  const name = query.text('name');
  if (name === '' || name.length > 256) throw invalid('the parameter name must have 1 to 256 characters');
  return { session: engine.builds.sessions.get(query.text('session')), name };
}

/** `/skiff/build`. */
export const skiffBuildRoutes: readonly Route[] = [
  ['POST', '/skiff/build', build],
  ['POST', '/skiff/build/archive', archive],
  ['POST', '/skiff/build/context', list],
  ['POST', '/skiff/build/files', contents],
  ['POST', '/skiff/build/resize', resize],
  ['POST', '/skiff/build/stream', stream],
];
