import { inspectContainer } from '#/client/containers.ts';
import { attachExec, createExec, inspectExec, resizeExec, startExec } from '#/client/exec.ts';
import { type Command, type Context, defineCommand } from '../../command.ts';
import { checkEnvironment, readPairFiles } from '../../container-options/key-values.ts';
import { boolFlag, listFlag, stringFlag } from '../../flags/flag.ts';
import { followSize, terminalSize } from '../../terminal/resize.ts';
import { checkTerminal, Session } from '../../terminal/session.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] CONTAINER COMMAND [ARG...]',
  arity: { min: 2 },
  interspersed: false,
  flags: {
    detach: boolFlag('Do not wait for it', { short: 'd' }),
    'detach-keys': stringFlag('Keys that leave it running, e.g. "ctrl-p,ctrl-q"'),
    env: listFlag('Set an environment variable (name=value, or a name to pass on)', {
      short: 'e',
      check: checkEnvironment,
    }),
    'env-file': listFlag('Read environment variables from a file'),
    interactive: boolFlag('Connect standard input', { short: 'i' }),
    privileged: boolFlag('Give it all privileges of the host'),
    tty: boolFlag('Give it a terminal', { short: 't' }),
    user: stringFlag('User, by name or number (user[:group])', { short: 'u' }),
    workdir: stringFlag('Working directory', { short: 'w' }),
  },
  async run(ctx, { flags, args: [name = '', ...words] }) {
    const { client } = ctx;
    const env = [...readPairFiles(flags['env-file'], (variable) => process.env[variable]), ...flags.env];
    const detachKeys = flags['detach-keys'] || ctx.config.values.detachKeys;
    const attached = !flags.detach;
    const stdin = attached && flags.interactive;
    // A container that does not exist is told of before a missing terminal.
    await inspectContainer(client, name);
    if (attached) checkTerminal(() => ctx.stdin, { attachStdin: stdin, tty: flags.tty });
    const { height, width } = terminalSize(ctx.stdout);
    const console = flags.tty ? { ConsoleSize: [height, width] as const } : {};
    const { Id } = await createExec(client, name, {
      User: flags.user,
      Privileged: flags.privileged,
      Tty: flags.tty,
      ...console,
      AttachStdin: stdin,
      AttachStdout: attached,
      AttachStderr: attached,
      DetachKeys: detachKeys,
      Env: env.length === 0 ? null : env,
      WorkingDir: flags.workdir,
      Cmd: words,
    });
    if (!attached) {
      await startExec(client, Id, { Detach: true, Tty: flags.tty, ...console });
      return 0;
    }
    return runAttached(ctx, Id, { stdin, tty: flags.tty, detachKeys, console });
  },
});

async function runAttached(
  ctx: Context,
  id: string,
  options: {
    stdin: boolean;
    tty: boolean;
    detachKeys: string;
    console: { ConsoleSize?: readonly [number, number] };
  },
): Promise<number> {
  const { client, stdout, stderr } = ctx;
  const { stdin, tty, detachKeys, console } = options;
  const connection = await attachExec(client, id, { Detach: false, Tty: tty, ...console });
  using session = new Session(connection, {
    stdin: stdin ? ctx.stdin : undefined,
    stdout,
    stderr,
    tty,
    detachKeys,
  });
  using _size =
    tty && ctx.stdin.isTTY === true ? followSize(stdout, (size) => resizeExec(client, id, size)) : undefined;
  if ((await session.run()) === 'detached') throw new Error('read escape sequence');
  return (await inspectExec(client, id)).ExitCode ?? 0;
}
