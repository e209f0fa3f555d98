import { inspectNetwork } from '#/client/networks.ts';
import { type Command, defineCommand } from '../../command.ts';
import { boolFlag, stringFlag } from '../../flags/flag.ts';
import { inspectAll } from '../../format/inspect.ts';
import { networkShape } from '../../format/shapes/network.ts';
import { inspectFormatUsage } from '../../usage-texts.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] NETWORK [NETWORK...]',
  arity: { min: 1 },
  flags: {
    format: stringFlag(inspectFormatUsage, { short: 'f' }),
    verbose: boolFlag('Add what helps to find faults', { short: 'v' }),
  },
  async run(ctx, { flags, args }) {
    await inspectAll(ctx, args, {
      format: flags.format,
      find: async (name) => ({ raw: await inspectNetwork(ctx.client, name, flags), shape: networkShape }),
    });
  },
});
