import { canonicalString, parseReference, withDefaultTag } from '#/oci/reference.ts';
import { type Command, defineCommand } from '../../command.ts';
import { checkContentTrust, contentTrustFlag } from '../../content-trust.ts';
import { boolFlag, stringFlag } from '../../flags/flag.ts';
import { pullReference } from '../../pull.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
  arity: { min: 1, max: 1 },
  flags: {
    'all-tags': boolFlag('Download all tags of the repository', { short: 'a' }),
    'disable-content-trust': contentTrustFlag,
    platform: stringFlag('Platform of the image (os[/arch[/variant]])'),
    quiet: boolFlag('Do not show progress', { short: 'q' }),
  },
  async run(ctx, { flags, given, args: [name = ''] }) {
    checkContentTrust(flags, { env: ctx.env, given });
    const named = parseReference(name);
    const isExact = named.tag !== undefined || named.digest !== undefined;
    if (flags['all-tags'] && isExact) throw new Error("tag can't be used with --all-tags/-a");
    const reference = flags['all-tags'] ? named : withDefaultTag(named);
    if (!isExact && !flags['all-tags'] && !flags.quiet) {
      ctx.stdout.write(`Using default tag: ${reference.tag}\n`);
    }
    await pullReference(ctx, reference, {
      platform: flags.platform || ctx.env['DOCKER_DEFAULT_PLATFORM'],
      output: flags.quiet ? undefined : ctx.stdout,
      credentials: 'wanted',
    });
    ctx.stdout.write(`${canonicalString(reference)}\n`);
  },
});
