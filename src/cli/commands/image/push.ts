import { pushImage } from '#/client/images.ts';
import { canonicalName, canonicalString, parseReference, withDefaultTag } from '#/oci/reference.ts';
import { type Command, defineCommand } from '../../command.ts';
import { isObject } from '../../config-file.ts';
import { checkContentTrust, contentTrustFlag } from '../../content-trust.ts';
import { registryAuth } from '../../credentials/resolve.ts';
import { boolFlag, stringFlag } from '../../flags/flag.ts';
import { printNote } from '../../notes.ts';
import { platformQuery } from '../../platforms.ts';
import { showProgress } from '../../progress/show.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] NAME[:TAG]',
  arity: { min: 1, max: 1 },
  flags: {
    'all-tags': boolFlag('Upload all tags of the repository', { short: 'a' }),
    'disable-content-trust': contentTrustFlag,
    platform: stringFlag('Upload only this variant of the image (os[/arch[/variant]]), without its index'),
    quiet: boolFlag('Do not show progress', { short: 'q' }),
  },
  async run(ctx, { flags, given, args: [name = ''] }) {
    checkContentTrust(flags, { env: ctx.env, given });
    const platform = platformQuery(flags.platform);
    if (platform !== undefined) printNote(ctx.stdout, platformNote);
    const named = parseReference(name);
    const isExact = named.tag !== undefined || named.digest !== undefined;
    if (flags['all-tags'] && isExact) throw new Error("tag can't be used with --all-tags/-a");
    const reference = flags['all-tags'] ? named : withDefaultTag(named);
    if (!isExact && !flags['all-tags'] && !flags.quiet) {
      ctx.stdout.write(`Using default tag: ${reference.tag}\n`);
    }
    const auth = await registryAuth(ctx, reference.domain);
    if (reference.digest !== undefined) throw new Error('cannot push a digest reference');
    const body = await pushImage(ctx.client, canonicalName(reference), {
      tag: reference.tag,
      platform,
      registryAuth: auth,
    });
    const notes: string[] = [];
    try {
      await showProgress(body, {
        output: flags.quiet ? undefined : ctx.stdout,
        env: ctx.env,
        onResult: (result) => notes.push(...notesOn(result)),
      });
      if (flags.quiet) ctx.stdout.write(`${canonicalString(reference)}\n`);
    } finally {
      for (const note of notes) printNote(ctx.stdout, note);
    }
  },
});

const platformNote = `Using --platform pushes only the specified platform manifest of a multi-platform image index.
Other components, like attestations, will not be included.
To push the complete multi-platform image, remove the --platform flag.
`;

const missingNote = `The image has variants for several platforms, but some of them are neither here nor in the registry.
Pull what is missing and push again, or push one of those that are here with --platform.`;

/** What the results of a push mean for people. */
function notesOn(result: unknown): string[] {
  if (!isObject(result)) return [];
  const { manifestPushedInsteadOfIndex, originalIndex, selectedManifest, contentMissing } = result;
  const digest = (value: unknown): string => (isObject(value) ? String(value['digest']) : '');
  const notes: string[] = [];
  if (manifestPushedInsteadOfIndex === true) {
    notes.push(
      `Not all multiplatform-content is present and only the available single-platform image was pushed\n${digest(originalIndex)} -> ${digest(selectedManifest)}`,
    );
  }
  if (contentMissing === true) notes.push(missingNote);
  return notes;
}
