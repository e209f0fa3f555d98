import { unpauseContainer } from '#/client/containers.ts';
import { type Command, defineCommand } from '../../command.ts';
import { forEachName } from '../../parallel.ts';

export const command: Command = defineCommand({
  usage: 'CONTAINER [CONTAINER...]',
  arity: { min: 1 },
  flags: {},
  async run(ctx, { args }) {
    await forEachName(ctx, args, (name) => unpauseContainer(ctx.client, name));
  },
});
