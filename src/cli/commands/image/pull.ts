import { pullImage } from '#/client/images.ts';
import { canonicalString, familiarName, parseReference, withDefaultTag } from '#/oci/reference.ts';
import { type Command, defineCommand } from '../../command.ts';
import { boolFlag, stringFlag } from '../../flags/flag.ts';
import { showProgress } from '../../progress.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
  arity: { min: 1, max: 1 },
  flags: {
    'all-tags': boolFlag('Download all tags of the repository', { short: 'a' }),
    platform: stringFlag('Platform of the image (os[/arch[/variant]])'),
    quiet: boolFlag('Do not show progress', { short: 'q' }),
  },
  async run({ client, stdout, env }, { flags, args: [name = ''] }) {
    const given = parseReference(name);
    const named = given.tag !== undefined || given.digest !== undefined;
    if (flags['all-tags'] && named) throw new Error("tag can't be used with --all-tags/-a");
    const reference = flags['all-tags'] ? given : withDefaultTag(given);
    if (!named && !flags['all-tags'] && !flags.quiet) stdout.write(`Using default tag: ${reference.tag}\n`);
    const body = await pullImage(client, {
      repository: familiarName(reference),
      tag: reference.digest ?? reference.tag,
      platform: flags.platform || env['DOCKER_DEFAULT_PLATFORM'],
    });
    await showProgress(body, flags.quiet ? undefined : stdout);
    stdout.write(`${canonicalString(reference)}\n`);
  },
});
