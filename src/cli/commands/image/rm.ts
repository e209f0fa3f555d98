import { messageOf } from '#/base/errors.ts';
import { isNotFound } from '#/client/errors.ts';
import { removeImage } from '#/client/images.ts';
import { type Command, defineCommand, ExitError } from '../../command.ts';
import { boolFlag, listFlag } from '../../flags/flag.ts';
import { platformQuery } from '../../platforms.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  arity: { min: 1 },
  flags: {
    force: boolFlag('Remove it although it has several names or containers', { short: 'f' }),
    'no-prune': boolFlag('Keep parents without a name'),
    platform: listFlag('Remove only this variant of the image (os[/arch[/variant]])'),
  },
  async run({ client, stdout, stderr }, { flags, args }) {
    const platforms = [...new Set(flags.platform.flatMap((text) => platformQuery(text) ?? []))];
    const failures: unknown[] = [];
    for (const name of args) {
      try {
        const items = await removeImage(client, name, {
          force: flags.force,
          keepParents: flags['no-prune'],
          platforms,
        });
        for (const { Deleted, Untagged } of items) {
          stdout.write(Deleted ? `Deleted: ${Deleted}\n` : `Untagged: ${Untagged ?? ''}\n`);
        }
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length === 0) return;
    const message = failures.map(messageOf).join('\n');
    // With --force, an image that is not there is as good as removed.
    if (!flags.force || !failures.every(isNotFound)) throw new ExitError(1, message);
    stderr.write(`${message}\n`);
  },
});
