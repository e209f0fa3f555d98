import { messageOf } from '#/base/errors.ts';
import {
  attachContainer,
  inspectContainer,
  resizeContainer,
  startContainer,
  waitContainer,
} from '#/client/containers.ts';
import type { ContainerInspect } from '#/wire/container-inspect.ts';
import { type Command, type Context, defineCommand } from '../../command.ts';
import { boolFlag, stringFlag } from '../../flags/flag.ts';
import { followSize } from '../../terminal/resize.ts';
import { Session } from '../../terminal/session.ts';
import { forwardSignals } from '../../terminal/signals.ts';
import { exitCodeOf } from '../../wait-result.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  arity: { min: 1 },
  flags: {
    attach: boolFlag('Show its output, and pass signals on', { short: 'a' }),
    'detach-keys': stringFlag('Keys that leave it running, e.g. "ctrl-p,ctrl-q"'),
    interactive: boolFlag('Connect standard input', { short: 'i' }),
  },
  async run(ctx, { flags, args }) {
    if (!flags.attach && !flags.interactive) return startAll(ctx, args);
    const [name = '', ...others] = args;
    if (others.length > 0) throw new Error('you cannot start and attach multiple containers at once');
    const detachKeys = flags['detach-keys'] || ctx.config.values.detachKeys;
    return startAttached(ctx, name, { interactive: flags.interactive, detachKeys });
  },
});

async function startAll({ client, stdout, stderr }: Context, names: readonly string[]): Promise<void> {
  const failed: string[] = [];
  for (const name of names) {
    try {
      await startContainer(client, name);
      stdout.write(`${name}\n`);
    } catch (error) {
      stderr.write(`${messageOf(error)}\n`);
      failed.push(name);
    }
  }
  if (failed.length > 0) throw new Error(`Error: failed to start containers: ${failed.join(', ')}`);
}

async function startAttached(
  ctx: Context,
  name: string,
  { interactive, detachKeys }: { interactive: boolean; detachKeys: string },
): Promise<number> {
  const { client, stdout, stderr } = ctx;
  const { Id, Config, HostConfig } = JSON.parse(await inspectContainer(client, name)) as ContainerInspect;
  const { Tty: tty, OpenStdin } = Config;
  using _signals = tty ? undefined : forwardSignals(ctx, Id);
  const stdin = interactive && OpenStdin;
  const connection = await attachContainer(client, Id, {
    stream: true,
    stdin,
    stdout: true,
    stderr: true,
    detachKeys,
  });
  using session = new Session(connection, {
    stdin: stdin ? ctx.stdin : undefined,
    stdout,
    stderr,
    tty,
    detachKeys,
  });
  const { result } = await waitContainer(client, Id, HostConfig.AutoRemove ? 'removed' : 'next-exit');
  // Nobody waits for it if the start fails.
  result.catch(() => undefined);
  const running = session.run();
  running.catch(() => undefined);
  await startContainer(client, Id);
  using _size =
    tty && stdout.isTTY ? followSize(stdout, (size) => resizeContainer(client, Id, size)) : undefined;
  return (await running) === 'detached' ? 0 : exitCodeOf(await result);
}
