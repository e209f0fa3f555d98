import { conflict } from '#/base/errors.ts';
import { MonitorControl, type WindowSize } from '#/runtime/terminal.ts';
import { attributesOf } from './attributes.ts';
import { readLogs } from './logs.ts';
import { isAlive } from './model.ts';
import type { ContainerParts } from './parts.ts';
import { SessionStdio, type StdioSession } from './stdio.ts';
import { notRunning } from './stop.ts';

/** Which streams a client wants. */
export interface AttachOptions {
  /** First what was logged so far. Together with `stream` there is no gap and no repeat between the two. */
  readonly logs: boolean;
  readonly stream: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly detachKeys: Buffer | undefined;
  readonly signal: AbortSignal;
}

/** Connects a client with the first process of a container, of this run or, if it does not run, of the next. */
export async function attachToContainer(
  parts: ContainerParts,
  ref: string,
  options: AttachOptions,
): Promise<StdioSession> {
  const record = parts.store.find(ref);
  const { id, state, spec } = record;
  if (state.kind === 'paused')
    throw conflict(`Container ${id} is paused, unpause the container before attach`);
  if (state.kind === 'restarting')
    throw conflict(`Container ${id} is restarting, wait until the container is running`);
  const { Tty: tty, OpenStdin: openStdin, StdinOnce: stdinOnce } = spec.config;
  const { stdout, stderr, signal } = options;
  const stdin = options.stdin && openStdin;
  const run = isAlive(state) ? { folder: parts.dirs.runOf(id), init: state.init } : undefined;
  const session = options.stream ? parts.attachments.open(id, { run, signal }) : Promise.resolve(undefined);
  const publish = (action: string): void =>
    parts.events.publish({ type: 'container', action, actor: { id, attributes: attributesOf(record) } });
  publish('attach');
  const source = options.logs
    ? readLogs(parts, record, { stdout, stderr, unit: 'pieces', follow: options.stream, signal })
    : undefined;
  const closesStdin = stdinOnce && !tty;
  return new SessionStdio(session, {
    tty,
    stdin,
    stdout,
    stderr,
    source,
    detachKeys: options.detachKeys,
    passOnEof: closesStdin,
    keepOpen: openStdin && closesStdin && !stdin,
    onDetach: () => publish('detach'),
  });
}

/** Sets the size of the terminal of a running container. */
export async function resizeContainer(parts: ContainerParts, ref: string, size: WindowSize): Promise<void> {
  const record = parts.store.find(ref);
  const { id, state } = record;
  if (!isAlive(state)) throw notRunning(id);
  await parts.terminals.of(id).resize(size);
  const attributes = { ...attributesOf(record), height: String(size.height), width: String(size.width) };
  parts.events.publish({ type: 'container', action: 'resize', actor: { id, attributes } });
}

/** The orders to the monitors of running containers, one queue each. */
export class Terminals {
  readonly #controls = new Map<string, MonitorControl>();
  readonly #runOf: (id: string) => string;

  constructor(runOf: (id: string) => string) {
    this.#runOf = runOf;
  }

  of(id: string): MonitorControl {
    const control = this.#controls.get(id) ?? new MonitorControl(this.#runOf(id));
    this.#controls.set(id, control);
    return control;
  }

  /** The run is over. */
  forget(id: string): void {
    this.#controls.delete(id);
  }
}
