import { messageOf } from '#/base/errors.ts';
import { type Command, defineCommand, ExitError } from '../../command.ts';
import { containerFlags } from '../../container-options/flags.ts';
import { createFromFlags, requestFromFlags } from '../../create.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  arity: { min: 1 },
  interspersed: false,
  flags: containerFlags,
  async run(ctx, input) {
    const request = withHelp(() => requestFromFlags(ctx, input), input.path);
    ctx.stdout.write(`${await createFromFlags(ctx, input.flags, request)}\n`);
  },
});

function withHelp<T>(work: () => T, path: string): T {
  try {
    return work();
  } catch (error) {
    throw new ExitError(125, `skiff: ${messageOf(error)}\n\nRun '${path} --help' for more information`, {
      cause: error,
    });
  }
}
