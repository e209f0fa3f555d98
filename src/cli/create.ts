import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { isIP } from 'node:net';
import { isSystemError, messageOf } from '#/base/errors.ts';
import { createContainer } from '#/client/containers.ts';
import { endpointName } from '#/client/endpoint.ts';
import { isNotFound } from '#/client/errors.ts';
import { familiarString, parseReference, withDefaultTag } from '#/oci/reference.ts';
import type { ContainerCreateResponse } from '#/wire/containers.ts';
import type { Context, Input } from './command.ts';
import type { ContainerFlags } from './container-options/flags.ts';
import { createRequest, type FullCreateRequest } from './container-options/request.ts';
import { checkContentTrust } from './content-trust.ts';
import { goMessage } from './system-errors.ts';
import { terminalSize } from './terminal/resize.ts';

/** The request for what a command line says. Throws an Error in docker's words. */
export function requestFromFlags(
  { client, config, env }: Context,
  { flags, given, args }: Pick<Input, 'given' | 'args'> & { flags: ContainerFlags },
): FullCreateRequest {
  checkContentTrust(flags, { env, given });
  const [image = '', ...command] = args;
  if (!['always', 'missing', 'never', ''].includes(flags.pull)) {
    throw new Error(`invalid pull option: '${flags.pull}': must be one of "always", "missing" or "never"`);
  }
  const { proxies } = config.values;
  return createRequest({ flags, given, image, command, proxies, daemon: endpointName(client.endpoint) });
}

/** Creates the container, pulling its image first if that is missing; prints warnings; gives its identifier. */
export async function createFromFlags(
  ctx: Context,
  flags: ContainerFlags,
  request: FullCreateRequest,
): Promise<string> {
  using idFile = new IdFile(flags.cidfile);
  const { height, width } = terminalSize(ctx.stdout);
  const sized = { ...request, HostConfig: { ...request.HostConfig, ConsoleSize: [height, width] as const } };
  const named = imageName(request.Image);
  if (flags.pull === 'always') await pull(ctx, request.Image, flags);
  const { Id, Warnings } = await createOrPull(ctx, { flags, request: sized, named });
  const warnings = [...(Warnings ?? []), ...loopbackWarning(flags.dns)];
  for (const warning of warnings) ctx.stderr.write(`WARNING: ${warning}\n`);
  idFile.write(Id);
  return Id;
}

/** The complete name of an image as people read it; `undefined` for an identifier. Throws for what is neither. */
function imageName(image: string): string | undefined {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(image)) return undefined;
  return familiarString(withDefaultTag(parseReference(image)));
}

async function createOrPull(
  ctx: Context,
  { flags, request, named }: { flags: ContainerFlags; request: FullCreateRequest; named: string | undefined },
): Promise<ContainerCreateResponse> {
  const options = { name: flags.name, platform: flags.platform || ctx.env['DOCKER_DEFAULT_PLATFORM'] };
  try {
    return await createContainer(ctx.client, request, options);
  } catch (error) {
    if (!isNotFound(error) || named === undefined || flags.pull !== 'missing') throw error;
  }
  if (!flags.quiet) ctx.stderr.write(`Unable to find image '${named}' locally\n`);
  await pull(ctx, request.Image, flags);
  return createContainer(ctx.client, request, options);
}

/** The image of a container could not be pulled. */
export class PullFailure extends Error {
  override readonly name = 'PullFailure';
}

async function pull(ctx: Context, image: string, { platform, quiet }: ContainerFlags): Promise<void> {
  // Most images are there.
  const { pullReference } = await import('./pull.ts');
  try {
    await pullReference(ctx, withDefaultTag(parseReference(image)), {
      platform,
      output: quiet ? undefined : ctx.stderr,
      credentials: 'needed',
    });
  } catch (error) {
    throw new PullFailure(messageOf(error), { cause: error });
  }
}

function loopbackWarning(servers: readonly string[]): string[] {
  const loopback = servers.find(
    (server) => server === '::1' || (isIP(server) === 4 && server.startsWith('127.')),
  );
  return loopback === undefined ? [] : [`Localhost DNS (${loopback}) may fail in containers.`];
}

/** The file of `--cidfile`: made before the container, so that two commands cannot share it; removed if none is made. */
class IdFile implements Disposable {
  readonly #path: string;
  readonly #fd: number | undefined;
  #written = false;

  constructor(path: string) {
    this.#path = path;
    this.#fd = path === '' ? undefined : open(path);
  }

  write(id: string): void {
    if (this.#fd === undefined) return;
    writeSync(this.#fd, id);
    this.#written = true;
  }

  [Symbol.dispose](): void {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    if (!this.#written) unlinkSync(this.#path);
  }
}

function open(path: string): number {
  try {
    return openSync(path, 'wx');
  } catch (error) {
    if (isSystemError(error, 'EEXIST')) {
      const advice = `make sure the other container isn't running or delete ${path}`;
      throw new Error(`container ID file found, ${advice}`, { cause: error });
    }
    throw new Error(`failed to create the container ID file: ${goMessage(error)}`, { cause: error });
  }
}
