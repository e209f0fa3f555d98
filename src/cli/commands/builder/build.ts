import { lstatSync, unlinkSync, writeFileSync } from 'node:fs';
import type { BuildOutcome } from '#/wire/build-status.ts';
import { buildAuths } from '../../build/build-auths.ts';
import { checkDockerfile } from '../../build/check.ts';
import { runClassicBuild } from '../../build/classic.ts';
import { describeOutline, describeTargets } from '../../build/describe.ts';
import { type BuildFlags, buildFlags } from '../../build/flags.ts';
import { type BuildPlan, planBuild } from '../../build/plan.ts';
import { buildErrorMessage, runBuild } from '../../build/run.ts';
import { checkFlags } from '../../build/settings.ts';
import { chooseView } from '../../build/view/choose.ts';
import { type Command, type Context, defineCommand, ExitError, type Input } from '../../command.ts';
import { goMessage } from '../../system-errors.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] PATH | URL | -',
  arity: { min: 1, max: 1 },
  flags: buildFlags,
  async run(ctx, { flags, given, args: [argument = ''] }) {
    try {
      checkFlags(flags, { env: ctx.env, given });
      if (flags.check || flags.call !== 'build') return await look(ctx, flags, argument);
      await build(ctx, { flags, given }, argument);
      return 0;
    } catch (error) {
      if (error instanceof ExitError) throw error;
      throw new ExitError(1, buildErrorMessage(error), { cause: error });
    }
  },
});

type Given = Pick<Input, 'given'> & { readonly flags: BuildFlags };

async function build(ctx: Context, { flags, given }: Given, argument: string): Promise<void> {
  const mode = progressMode(flags, { given, env: ctx.env });
  const view = chooseView(mode, ctx);
  const plan = await planBuild(flags, argument, ctx);
  // Nobody shall take the identifier of an earlier build for that of one that fails.
  if (flags.iidfile !== '') removeFile(flags.iidfile);
  const auths = await buildAuths(ctx, mentions(plan));
  const isSkiff = await ctx.client.isSkiff();
  const outcome: BuildOutcome | undefined = isSkiff
    ? await runBuild(ctx, plan, {
        view,
        stdout: ctx.stdout,
        shell: {
          stdin: () => ctx.stdin,
          output: ctx.stderr,
          detachKeys: ctx.config.values.detachKeys,
        },
        auths,
      })
    : {
        image:
          (await runClassicBuild(ctx, plan, {
            flags: { ...flags, quiet: mode === 'quiet' },
            given,
            auths,
            stdout: ctx.stdout,
            stderr: ctx.stderr,
          })) ?? '',
        metadata: {},
      };
  const image = outcome?.image ?? '';
  if (flags.iidfile !== '') writeResult('iidfile', { path: flags.iidfile, text: image });
  if (flags['metadata-file'] !== '') {
    const path = flags['metadata-file'];
    writeResult('metadata-file', { path, text: `${JSON.stringify(outcome?.metadata ?? {}, null, 2)}\n` });
  }
  if (mode === 'quiet' && image !== '') ctx.stdout.write(`${image}\n`);
}

/** What `--quiet`, `--progress` and the environment say together. Throws an Error in docker's words if they disagree. */
function progressMode(
  { quiet, progress }: BuildFlags,
  { given, env }: { given: ReadonlySet<string>; env: Context['env'] },
): string {
  if (!quiet) return (given.has('progress') ? progress : env['BUILDKIT_PROGRESS']) || 'auto';
  if (given.has('progress') && !['auto', 'quiet'].includes(progress)) {
    throw new Error(`progress=${progress} and quiet cannot be used together`);
  }
  return 'quiet';
}

/** Looks at the Dockerfile only; the daemon is not needed. */
async function look(ctx: Context, flags: BuildFlags, argument: string): Promise<number> {
  const { content, dockerfile, settings, uploads } = await planBuild(flags, argument, ctx);
  const call = flags.check ? 'check' : flags.call;
  if (content === undefined) {
    throw new Error(`--call=${call} needs a Dockerfile on this machine or on standard input`);
  }
  const args = new Map(Object.entries(settings.Args ?? {}));
  const file = { name: dockerfile.Name ?? 'Dockerfile', content, args };
  if (call === 'check') {
    const main = uploads.get('context');
    const ignore = main?.kind === 'folder' ? main.context.rules : undefined;
    return checkDockerfile({ ...file, ignore, quiet: flags.quiet }, ctx);
  }
  ctx.stdout.write(
    call === 'targets' ? describeTargets(file) : describeOutline({ ...file, target: flags.target }),
  );
  return 0;
}

/** Everything that can name a registry. */
function mentions({ settings, content, namedContexts, outputs }: BuildPlan): string[] {
  return [
    content?.toString() ?? '',
    ...(settings.Names ?? []),
    ...Object.values(settings.Args ?? {}),
    JSON.stringify([
      settings.CacheFrom,
      settings.CacheTo,
      namedContexts,
      outputs.map(({ document }) => document),
    ]),
  ];
}

function writeResult(
  flag: 'iidfile' | 'metadata-file',
  { path, text }: { path: string; text: string },
): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new Error(`the build has succeeded, but --${flag} cannot be written: ${goMessage(error)}`, {
      cause: error,
    });
  }
}

/** Removes a file, but not a device or a link that results are written to. */
function removeFile(path: string): void {
  try {
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === true) unlinkSync(path);
  } catch (error) {
    throw new Error(`removing image ID file: ${goMessage(error)}`, { cause: error });
  }
}
