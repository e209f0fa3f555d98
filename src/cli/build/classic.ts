import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { humanSize } from '#/base/units.ts';
import { classicBuild } from '#/client/build.ts';
import { endpointName } from '#/client/endpoint.ts';
import type { AuthConfig } from '#/wire/registry.ts';
import { type Context, ExitError, type Output } from '../command.ts';
import { encodeAuths } from '../credentials/resolve.ts';
import { PlainProgress } from '../progress/plain.ts';
import { streamMessages } from '../progress/show.ts';
import { contextArchive } from './context-archive.ts';
import type { BuildFlags } from './flags.ts';
import type { BuildPlan } from './plan.ts';

/** What Docker's classic builder does not have, by flag. */
const unavailable: readonly (keyof BuildFlags)[] = [
  'allow',
  'annotation',
  'attest',
  'build-context',
  'cache-to',
  'debug-step',
  'explain',
  'load',
  'metadata-file',
  'no-cache-filter',
  'on-error',
  'output',
  'provenance',
  'push',
  'sbom',
  'secret',
  'ssh',
];

/** What a classic build needs besides its plan. */
export interface ClassicRun {
  readonly flags: BuildFlags;
  readonly given: ReadonlySet<string>;
  readonly auths: Readonly<Record<string, AuthConfig>>;
  /** Where the words of the builder go. A quiet build has them for its failure only. */
  readonly stdout: Output;
  readonly stderr: Output;
}

/**
 * Carries out a plan with a daemon that is not Skiff, by the classic API: the context goes there as a whole. Gives the id of
 * the image. Throws an ExitError with the exit code of the command that failed, as docker does.
 */
export async function runClassicBuild(
  { client }: Pick<Context, 'client'>,
  plan: BuildPlan,
  { flags, given, auths, stdout, stderr }: ClassicRun,
): Promise<string | undefined> {
  checkAvailable(endpointName(client.endpoint), plan, given);
  const held = new HeldOutput();
  const output = flags.quiet ? held : stdout;
  const { settings, context, dockerfile } = plan;
  const main = plan.uploads.get('context');
  const { archive, dockerfilePath } =
    main?.kind === 'archive'
      ? { archive: main.bytes, dockerfilePath: dockerfile.Name ?? '' }
      : contextArchive(main?.context, { name: dockerfile.Name ?? 'Dockerfile', content: plan.content });
  const body =
    context.Kind === 'url' ? undefined : Readable.from(counted(archive, output), { objectMode: false });
  const query = {
    t: settings.Names ?? [],
    dockerfile: dockerfilePath,
    remote: context.Kind === 'url' ? context.Url : undefined,
    q: flags.quiet,
    nocache: settings.NoCache,
    pull: settings.Pull,
    rm: flags.rm ? '1' : '0',
    forcerm: flags['force-rm'],
    squash: settings.Squash,
    target: settings.Target || undefined,
    platform: settings.Platforms?.[0],
    networkmode: settings.NetworkMode,
    memory: settings.Memory || undefined,
    memswap: settings.MemorySwap || undefined,
    cpushares: settings.CpuShares || undefined,
    cpuperiod: settings.CpuPeriod || undefined,
    cpuquota: settings.CpuQuota || undefined,
    cpusetcpus: settings.CpusetCpus || undefined,
    cpusetmems: settings.CpusetMems || undefined,
    shmsize: settings.ShmSize || undefined,
    cgroupparent: settings.CgroupParent || undefined,
    extrahosts: settings.ExtraHosts ?? [],
    ulimits: JSON.stringify(settings.Ulimits),
    buildargs: JSON.stringify(settings.Args),
    labels: JSON.stringify(settings.Labels),
    cachefrom: JSON.stringify((settings.CacheFrom ?? []).map(({ Attributes }) => Attributes?.['ref'] ?? '')),
    version: '1',
  };
  const signal = new AbortController().signal;
  const answer = await classicBuild(client, query, {
    registryConfig: encodeAuths(auths),
    signal,
    ...(body !== undefined && { body: flags.compress ? body.pipe(createGzip()) : body }),
  });
  let id: string | undefined;
  const view = new PlainProgress(output);
  for await (const message of streamMessages(answer)) {
    const error = message.errorDetail?.message ?? message.error;
    if (error !== undefined) {
      stderr.write(held.text);
      throw new ExitError(message.errorDetail?.code || 1, error);
    }
    id = imageId(message.aux) ?? quietId(message.stream) ?? id;
    if (message.aux === undefined) view.show(message);
  }
  return id;
}

/** Words that are only of interest if the build fails. */
class HeldOutput {
  text = '';

  write(more: string): void {
    this.text += more;
  }
}

/** A quiet build says nothing but the id. */
function quietId(text: string | undefined): string | undefined {
  return /^(sha256:[0-9a-f]{64})\n$/.exec(text ?? '')?.[1];
}

function checkAvailable(daemon: string, plan: BuildPlan, given: ReadonlySet<string>): void {
  const flag = unavailable.find((name) => given.has(name));
  const platforms = plan.settings.Platforms ?? [];
  if (flag === undefined && platforms.length <= 1) return;
  throw new Error(
    `${flag === undefined ? 'more than one platform' : `--${flag}`} is not available: the daemon at ${daemon} is not Skiff, and its classic builder has no such thing`,
  );
}

function imageId(aux: unknown): string | undefined {
  return typeof aux === 'object' && aux !== null && 'ID' in aux && typeof aux.ID === 'string'
    ? aux.ID
    : undefined;
}

/** Says how much was sent when all of it is. */
async function* counted(
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  output: Pick<Output, 'write'>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let sent = 0;
  for await (const chunk of bytes) {
    sent += chunk.length;
    yield chunk;
  }
  output.write(`Sending build context to Docker daemon  ${humanSize(sent)}\n`);
}
