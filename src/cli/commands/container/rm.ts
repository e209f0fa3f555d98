import { removeContainer } from '#/client/containers.ts';
import { isNotFound } from '#/client/errors.ts';
import { type Command, defineCommand } from '../../command.ts';
import { boolFlag } from '../../flags/flag.ts';
import { forEachName } from '../../parallel.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  arity: { min: 1 },
  flags: {
    force: boolFlag('Kill it first if it runs; no error if it does not exist', { short: 'f' }),
    link: boolFlag('Remove the link of that name instead of a container', { short: 'l' }),
    volumes: boolFlag('Remove its anonymous volumes too', { short: 'v' }),
  },
  async run(ctx, { flags, args }) {
    await forEachName(ctx, args, async (name) => {
      const id = name.replace(/^\/+|\/+$/g, '');
      if (id === '') throw new Error('container name cannot be empty');
      try {
        await removeContainer(ctx.client, id, flags);
      } catch (error) {
        if (!flags.force || !isNotFound(error)) throw error;
        ctx.stderr.write(`${error.message}\n`);
        return false;
      }
      return undefined;
    });
  },
});
