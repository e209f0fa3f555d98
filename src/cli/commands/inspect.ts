import { inspectContainer } from '#/client/containers.ts';
import { ApiError, isNotFound } from '#/client/errors.ts';
import { inspectImage } from '#/client/images.ts';
import { inspectNetwork } from '#/client/networks.ts';
import { inspectVolume } from '#/client/volumes.ts';
import { type Command, type Context, defineCommand } from '../command.ts';
import { boolFlag, stringFlag } from '../flags/flag.ts';
import { type Inspected, inspectAll } from '../format/inspect.ts';
import { containerShape } from '../format/shapes/container.ts';
import { imageShape } from '../format/shapes/image.ts';
import { networkShape } from '../format/shapes/network.ts';
import { volumeShape } from '../format/shapes/volume.ts';
import { inspectFormatUsage } from '../usage-texts.ts';

const types = ['container', 'image', 'network', 'volume'] as const;
type ThingType = (typeof types)[number];

export const command: Command = defineCommand({
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  arity: { min: 1 },
  flags: {
    format: stringFlag(inspectFormatUsage, { short: 'f' }),
    size: boolFlag('Add disk usage to containers', { short: 's' }),
    type: stringFlag(`Look only for one type (${types.join(', ')})`),
  },
  async run(ctx, { flags, given, args }) {
    const choices = `must be one of "${types.join('", "')}"`;
    if (given.has('type') && flags.type === '') throw new Error(`type is empty: ${choices}`);
    const only = types.find((type) => type === flags.type);
    if (flags.type !== '' && only === undefined) {
      throw new Error(`unknown type: ${JSON.stringify(flags.type)}: ${choices}`);
    }
    await inspectAll(ctx, args, {
      format: flags.format,
      find: (name) =>
        only === undefined ? findAny(ctx, name, flags) : find(ctx, name, { type: only, size: flags.size }),
    });
  },
});

async function find(
  { client, stderr }: Context,
  name: string,
  { type, size }: { type: ThingType; size: boolean },
): Promise<Inspected> {
  if (type === 'container')
    return { raw: await inspectContainer(client, name, { size }), shape: containerShape };
  const found = await {
    image: async () => ({ raw: await inspectImage(client, name), shape: imageShape }),
    network: async () => ({ raw: await inspectNetwork(client, name), shape: networkShape }),
    volume: async () => ({ raw: await inspectVolume(client, name), shape: volumeShape }),
  }[type]();
  if (size) stderr.write(`WARNING: --size ignored for ${type}\n`);
  return found;
}

/** The first type that knows the name. */
async function findAny(ctx: Context, name: string, { size }: { size: boolean }): Promise<Inspected> {
  for (const type of types) {
    try {
      return await find(ctx, name, { type, size });
    } catch (error) {
      if (!isSkippable(error)) throw error;
    }
  }
  throw new Error(`Error: No such object: ${name}`);
}

/** A name that is none for an image may be one for something else. */
function isSkippable(error: unknown): boolean {
  if (isNotFound(error)) return true;
  return error instanceof ApiError && /not supported|invalid reference format/.test(error.message);
}
