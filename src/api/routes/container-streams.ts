import { invalid, messageOf } from '#/base/errors.ts';
import type { AttachOptions } from '#/engine/containers/attach.ts';
import type { WaitCondition } from '#/engine/containers/waits.ts';
import type { ContainerWaitResponse } from '#/wire/containers.ts';
import { compareVersions } from '#/wire/version.ts';
import type { Call, Route } from '../call.ts';
import { parseDetachKeys } from '../detach-keys.ts';
import { hijack, streamType } from '../hijack.ts';
import { terminalSize } from '../input.ts';
import { beginStream, empty, json, send } from '../respond.ts';
import { sendOutput, serveSession } from '../stdio.ts';
import { acceptWebSocket, webSocketKey } from '../websocket.ts';

const conditions: ReadonlySet<string> = new Set<WaitCondition>(['not-running', 'next-exit', 'removed']);

async function waitContainer(call: Call): Promise<void> {
  const { engine, signal, version } = call;
  // Before 1.30 there were no conditions, and the answer began only when it was complete.
  const modern = compareVersions(version, '1.30') >= 0;
  const condition = (modern ? call.query.text('condition') : '') || 'not-running';
  if (!isCondition(condition)) throw invalid(`invalid condition: ${JSON.stringify(condition)}`);
  const { id } = engine.containers.get(call.id);
  const result = engine.containers.wait(id, condition, { signal });
  if (!modern) {
    json(call, { StatusCode: (await result).exitCode });
    return;
  }
  // Clients start the container once they know that the wait has begun: the headers tell them.
  beginStream(call, 'application/json');
  let answer: ContainerWaitResponse;
  try {
    const { exitCode, error } = await result;
    answer = { StatusCode: exitCode, ...(error === undefined ? {} : { Error: { Message: error } }) };
  } catch (error) {
    signal.throwIfAborted();
    answer = { StatusCode: 125, Error: { Message: messageOf(error) } };
  }
  call.response.end(`${JSON.stringify(answer)}\n`);
}

function isCondition(text: string): text is WaitCondition {
  return conditions.has(text);
}

async function containerLogs(call: Call): Promise<void> {
  const { query, signal, response } = call;
  const stdout = query.bool('stdout');
  const stderr = query.bool('stderr');
  if (!stdout && !stderr) throw invalid('Bad parameters: you must choose at least one stream');
  const { tty, output } = await call.engine.containers.logs(call.id, {
    stdout,
    stderr,
    since: query.time('since'),
    // As for Docker, 0 is no bound here.
    until: query.time('until') || undefined,
    tail: tailOf(query.text('tail')),
    follow: query.bool('follow'),
    timestamps: query.bool('timestamps'),
    details: query.bool('details'),
    signal,
  });
  beginStream(call, streamType(call, tty));
  await sendOutput(output, response, { framed: !tty, signal });
  response.end();
}

/** As in Docker, what is not a number of lines means all of them. */
function tailOf(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

async function containerStats(call: Call): Promise<void> {
  const { query, signal, response } = call;
  const stream = query.bool('stream', true);
  const oneShot = query.bool('one-shot');
  if (stream && oneShot) throw invalid('cannot have stream=true and one-shot=true');
  const samples = await call.engine.containers.stats(call.id, { stream, oneShot, signal });
  beginStream(call, 'application/json');
  for await (const sample of samples) await send(response, `${JSON.stringify(sample)}\n`, { signal });
  response.end();
}

async function resizeContainer(call: Call): Promise<void> {
  await call.engine.containers.resize(call.id, terminalSize(call.query));
  empty(call, 200);
}

async function attachContainer(call: Call): Promise<void> {
  const options = attachOptions(call);
  const session = await call.engine.containers.attach(call.id, options);
  const connection = hijack(call, session.tty);
  await serveSession(call, connection, { session, framed: !session.tty, stdin: options.stdin });
}

async function attachWebSocket(call: Call): Promise<void> {
  const key = webSocketKey(call);
  const options = attachOptions(call);
  const session = await call.engine.containers.attach(call.id, options);
  const connection = acceptWebSocket(call, key);
  // Never framed: a WebSocket shows one stream, as a terminal does.
  await serveSession(call, connection, { session, framed: false, stdin: options.stdin });
}

function attachOptions({ query, signal }: Call): AttachOptions {
  return {
    logs: query.bool('logs'),
    stream: query.bool('stream'),
    stdin: query.bool('stdin'),
    stdout: query.bool('stdout'),
    stderr: query.bool('stderr'),
    detachKeys: parseDetachKeys(query.text('detachKeys'), 'detach'),
    signal,
  };
}

/** What a container says and hears, and waiting for its end. */
export const containerStreamRoutes: readonly Route[] = [
  ['GET', '/containers/:id/logs', containerLogs],
  ['GET', '/containers/:id/stats', containerStats],
  ['GET', '/containers/:id/attach/ws', attachWebSocket],
  ['POST', '/containers/:id/attach', attachContainer],
  ['POST', '/containers/:id/resize', resizeContainer],
  ['POST', '/containers/:id/wait', waitContainer],
];
