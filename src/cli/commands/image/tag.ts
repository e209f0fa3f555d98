import { tagImage } from '#/client/images.ts';
import { familiarName, parseReference, withDefaultTag } from '#/oci/reference.ts';
import { type Command, defineCommand } from '../../command.ts';

export const command: Command = defineCommand({
  usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  arity: { min: 2, max: 2 },
  interspersed: false,
  flags: {},
  async run({ client }, { args: [source = '', target = ''] }) {
    const reference = parse(target);
    if (reference.digest !== undefined) throw new Error('refusing to create a tag with a digest reference');
    await tagImage(client, source, {
      repo: familiarName(reference),
      tag: withDefaultTag(reference).tag ?? '',
    });
  },
});

function parse(target: string): ReturnType<typeof parseReference> {
  try {
    return parseReference(target);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `Error parsing reference: ${JSON.stringify(target)} is not a valid repository/tag: ${reason}`,
      {
        cause: error,
      },
    );
  }
}
