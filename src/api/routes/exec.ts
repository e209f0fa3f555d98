import { conflict, invalid, messageOf } from '#/base/errors.ts';
import type { ExecView } from '#/engine/containers/execs.ts';
import type { StdioSession } from '#/engine/containers/stdio.ts';
import type { ExecCreateResponse, ExecInspect } from '#/wire/exec.ts';
import { encodeFrame } from '#/wire/frames.ts';
import { compareVersions } from '#/wire/version.ts';
import type { Call, Route } from '../call.ts';
import { execCreateBody, execStartBody } from '../decode/containers.ts';
import { parseDetachKeys } from '../detach-keys.ts';
import { hijack } from '../hijack.ts';
import { readJson, terminalSize } from '../input.ts';
import { empty, json } from '../respond.ts';
import { serveSession } from '../stdio.ts';

async function createExec(call: Call): Promise<void> {
  const body = await readJson(call, execCreateBody);
  if (body.Cmd.length === 0) throw invalid('No exec command specified');
  const id = await call.engine.execs.create(call.id, {
    command: body.Cmd,
    env: body.Env ?? [],
    user: body.User,
    workingDir: body.WorkingDir,
    privileged: body.Privileged,
    tty: body.Tty,
    stdin: body.AttachStdin,
    stdout: body.AttachStdout,
    stderr: body.AttachStderr,
    detachKeys: parseDetachKeys(body.DetachKeys, 'escape'),
    consoleSize: sizeOf(body.ConsoleSize),
  });
  json(call, { Id: id } satisfies ExecCreateResponse, 201);
}

async function startExec(call: Call): Promise<void> {
  const body = await readJson(call, execStartBody);
  const { execs } = call.engine;
  const exec = execs.inspect(call.id);
  if (exec.running || exec.exitCode !== undefined) {
    throw conflict(`exec command ${exec.id} ${exec.running ? 'is already running' : 'has already run'}`);
  }
  if (body.Detach) {
    await execs.start(exec.id);
    empty(call, 200);
    return;
  }
  // Whether output comes in frames is what this request says: the terminal is what the exec was made with.
  const tty = body.Tty;
  const consoleSize = compareVersions(call.version, '1.42') < 0 ? undefined : sizeOf(body.ConsoleSize);
  const connection = hijack(call, tty);
  let session: StdioSession;
  try {
    session = await execs.startAttached(exec.id, { consoleSize, signal: call.signal });
  } catch (error) {
    // Clients show what comes through the stream, then ask for the exit code.
    const text = Buffer.from(`${messageOf(error)}\r\n`);
    connection.end(tty ? text : encodeFrame('stdout', text), () => connection.destroy());
    return;
  }
  await serveSession(call, connection, { session, framed: !tty, stdin: exec.request.stdin });
}

async function resizeExec(call: Call): Promise<void> {
  await call.engine.execs.resize(call.id, terminalSize(call.query));
  empty(call, 200);
}

async function inspectExec(call: Call): Promise<void> {
  json(call, presentExec(call.engine.execs.inspect(call.id)));
}

function presentExec({ id, containerId, request, running, exitCode, pid }: ExecView): ExecInspect {
  const [entrypoint = '', ...rest] = request.command;
  return {
    ID: id,
    Running: running,
    ExitCode: exitCode ?? null,
    ProcessConfig: {
      tty: request.tty,
      entrypoint,
      arguments: rest,
      privileged: request.privileged,
      ...(request.user === '' ? {} : { user: request.user }),
    },
    OpenStdin: request.stdin,
    OpenStderr: request.stderr,
    OpenStdout: request.stdout,
    CanRemove: false,
    ContainerID: containerId,
    DetachKeys: request.detachKeys?.toString('base64') ?? '',
    Pid: pid,
  };
}

/** Zeros, as in a request that does not say, are no size. */
function sizeOf([height, width]: readonly [number, number]): { height: number; width: number } | undefined {
  return height > 0 && width > 0 ? { height, width } : undefined;
}

/** Running more programs in containers. */
export const execRoutes: readonly Route[] = [
  ['POST', '/containers/:id/exec', createExec],
  ['POST', '/exec/:id/start', startExec],
  ['POST', '/exec/:id/resize', resizeExec],
  ['GET', '/exec/:id/json', inspectExec],
];
