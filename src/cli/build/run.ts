import { randomBytes } from 'node:crypto';
import { messageOf } from '#/base/errors.ts';
import { startBuild } from '#/client/build.ts';
import type { Client } from '#/client/client.ts';
import type { BuildFailure, BuildOutcome, BuildStatus } from '#/wire/build-status.ts';
import type { AuthConfig } from '#/wire/registry.ts';
import type { Context, Output } from '../command.ts';
import { safeText } from '../format/safe-text.ts';
import { streamMessages } from '../progress/show.ts';
import { offerAgent } from './agent-streams.ts';
import { debugShell, type ShellStreams, shellTerminal } from './debug-shell.ts';
import type { BuildPlan } from './plan.ts';
import { wantsShell } from './settings.ts';
import { takeOutput } from './sinks.ts';
import { uploadArchive, uploadFolder } from './upload.ts';
import type { BuildView } from './view/view.ts';

/** What a build needs besides its plan. */
export interface BuildRun {
  readonly view: BuildView;
  readonly stdout: Output;
  readonly shell: ShellStreams;
  readonly auths: Readonly<Record<string, AuthConfig>>;
}

/**
 * Carries out a plan with a Skiff daemon. The files go there while the build begins; what ends on this machine comes over
 * connections of its own. Throws an Error with the daemon's message; the view has been told of the failure then.
 */
export async function runBuild(
  { client }: Pick<Context, 'client'>,
  plan: BuildPlan,
  run: BuildRun,
): Promise<BuildOutcome | undefined> {
  const session = randomBytes(16).toString('hex');
  const ending = new AbortController();
  const { signal } = ending;
  // The first failure is the one that counts; the others are its consequences.
  let failed: { error: unknown } | undefined;
  const guarded = async (work: Promise<unknown>): Promise<void> => {
    try {
      await work;
    } catch (error) {
      if (signal.aborted) return;
      failed ??= { error };
      ending.abort(error);
    }
  };
  const uploads = [...plan.uploads].map(([name, upload]) => {
    const part = { session, name };
    return guarded(
      upload.kind === 'folder'
        ? uploadFolder(client, part, { context: upload.context, signal })
        : uploadArchive(client, part, { bytes: upload.bytes, signal }),
    );
  });
  const agents = [...plan.agents].map(([id, agent]) =>
    guarded(offerAgent(client, { session, name: `agent:${id}` }, { agent, signal })),
  );
  const streams = plan.outputs.flatMap(({ document: { Stream: name = '' }, sink }) =>
    sink === undefined ? [] : [[name, sink] as const],
  );
  const sinks = [...streams, ...plan.cacheSinks].map(([name, sink]) =>
    guarded(takeOutput(client, { session, name }, { sink, stdout: run.stdout, signal })),
  );
  try {
    const outcome = await followBuild(client, { session, plan, run, signal });
    await Promise.all([...uploads, ...sinks]);
    if (failed !== undefined) throw failed.error;
    run.view.end(outcome);
    return outcome;
  } catch (error) {
    const first = failed?.error ?? error;
    run.view.fail(first instanceof BuildError ? first.failure : undefined);
    throw first;
  } finally {
    ending.abort(new Error('the build has ended'));
    await Promise.all([...uploads, ...sinks, ...agents]);
  }
}

/** A build that the daemon calls failed. */
class BuildError extends Error {
  readonly failure: BuildFailure | undefined;

  constructor(message: string, failure: BuildFailure | undefined) {
    super(message);
    this.name = 'BuildError';
    this.failure = failure;
  }
}

async function followBuild(
  client: Client,
  {
    session,
    plan,
    run: { auths, view, shell },
    signal,
  }: { session: string; plan: BuildPlan; run: BuildRun; signal: AbortSignal },
): Promise<BuildOutcome | undefined> {
  const terminal = wantsShell(plan.settings) ? shellTerminal(shell) : undefined;
  const document = {
    ...plan.settings,
    ...(terminal !== undefined && { Terminal: { Height: terminal.height, Width: terminal.width } }),
    Session: session,
    Dockerfile: plan.dockerfile,
    Context: plan.context,
    NamedContexts: plan.namedContexts,
    Outputs: plan.outputs.map((output) => output.document),
    Agents: [...plan.agents.keys()],
    Auths: auths,
  };
  const answer = await startBuild(client, document, { signal });
  let outcome: BuildOutcome | undefined;
  let failure: BuildFailure | undefined;
  for await (const message of streamMessages(answer)) {
    const status = (message.aux ?? {}) as BuildStatus;
    outcome = status.result ?? outcome;
    failure = status.failure ?? failure;
    view.take(status);
    if (status.stopped !== undefined) {
      view.pause();
      // Nothing else of the build is told meanwhile.
      const streams = { ...shell, hasTerminal: terminal !== undefined };
      await debugShell(client, { session, name: 'debug' }, { step: status.stopped, streams, signal });
      view.resume();
    }
    const error = message.errorDetail?.message ?? message.error;
    if (error !== undefined) throw new BuildError(error, failure);
  }
  return outcome;
}

/** What people read when a build fails. */
export function buildErrorMessage(error: unknown): string {
  const solving = error instanceof BuildError ? 'failed to solve: ' : '';
  return safeText(`ERROR: failed to build: ${solving}${messageOf(error)}`);
}
