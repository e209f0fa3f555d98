import { attachContainer, inspectContainer, resizeContainer, waitContainer } from '#/client/containers.ts';
import type { ContainerInspect } from '#/wire/container-inspect.ts';
import { type Command, type Context, defineCommand } from '../../command.ts';
import { boolFlag, stringFlag } from '../../flags/flag.ts';
import { followSize, terminalSize } from '../../terminal/resize.ts';
import { checkTerminal, Session } from '../../terminal/session.ts';
import { forwardSignals } from '../../terminal/signals.ts';
import { exitCodeOf } from '../../wait-result.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] CONTAINER',
  arity: { min: 1, max: 1 },
  flags: {
    'detach-keys': stringFlag('Keys that leave it running, e.g. "ctrl-p,ctrl-q"'),
    'no-stdin': boolFlag('Do not connect standard input'),
    'sig-proxy': boolFlag('Pass signals on to the process', { initial: true }),
  },
  async run(ctx, { flags, args: [name = ''] }) {
    const { client, stdout, stderr } = ctx;
    const detachKeys = flags['detach-keys'] || ctx.config.values.detachKeys;
    const container = await attachable(ctx, name);
    const { result } = await waitContainer(client, container.Id);
    // Nobody waits for it if the session ends in another way.
    result.catch(() => undefined);
    const { Tty, OpenStdin } = container.Config;
    const stdin = !flags['no-stdin'] && OpenStdin;
    checkTerminal(() => ctx.stdin, { attachStdin: !flags['no-stdin'], tty: Tty });
    using _signals = flags['sig-proxy'] && !Tty ? forwardSignals(ctx, container.Id) : undefined;
    const connection = await attachContainer(client, container.Id, {
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
      tty: Tty,
      detachKeys,
    });
    // It may have ended since we looked, and then would never send anything.
    await attachable(ctx, name);
    using _size = Tty && stdout.isTTY ? await redraw(ctx, container.Id) : undefined;
    if ((await session.run()) === 'detached') throw new Error('read escape sequence');
    return exitCodeOf(await result);
  },
});

async function attachable({ client }: Context, name: string): Promise<ContainerInspect> {
  const container = JSON.parse(await inspectContainer(client, name)) as ContainerInspect;
  const { Running, Paused, Restarting } = container.State;
  if (!Running) throw new Error('You cannot attach to a stopped container, start it first');
  if (Paused) throw new Error('You cannot attach to a paused container, unpause it first');
  if (Restarting) throw new Error('You cannot attach to a restarting container, wait until it is running');
  return container;
}

/** Programs paint their screen again when its size changes, so it is made one larger for a moment. */
async function redraw({ client, stdout }: Context, id: string): Promise<Disposable> {
  const { height, width } = terminalSize(stdout);
  // A terminal that cannot be resized works all the same.
  await resizeContainer(client, id, { height: height + 1, width: width + 1 }).catch(() => undefined);
  return followSize(stdout, (size) => resizeContainer(client, id, size));
}
