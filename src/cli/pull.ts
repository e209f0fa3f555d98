import { messageOf } from '#/base/errors.ts';
import { pullImage } from '#/client/images.ts';
import { canonicalName, type Reference } from '#/oci/reference.ts';
import type { Context, Output } from './command.ts';
import { encodeAuth, registryAuth } from './credentials/resolve.ts';
import { showProgress } from './progress/show.ts';

/** How to pull. */
export interface PullSettings {
  /** As `os/arch/variant`; the daemon's own if there is none. */
  readonly platform: string | undefined;
  /** Where progress is shown; absent: nowhere. */
  readonly output: Output | undefined;
  /** What to do if the user's credentials cannot be read: fail, or warn and go on without, as public images allow. */
  readonly credentials: 'needed' | 'wanted';
}

/** Has the daemon pull a reference, all tags of it if it has neither tag nor digest. Throws what went wrong. */
export async function pullReference(
  ctx: Context,
  reference: Reference,
  { platform, output, credentials }: PullSettings,
): Promise<void> {
  const auth =
    credentials === 'needed' ? registryAuth(ctx, reference.domain) : wantedAuth(ctx, reference.domain);
  const body = await pullImage(ctx.client, {
    repository: canonicalName(reference),
    tag: reference.digest ?? reference.tag,
    platform: platform?.toLowerCase(),
    registryAuth: await auth,
  });
  await showProgress(body, { output, env: ctx.env });
}

/** The header of a registry's credentials, or that of none, and a warning, if they cannot be read. */
export async function wantedAuth(ctx: Context, domain: string): Promise<string> {
  try {
    return await registryAuth(ctx, domain);
  } catch (error) {
    ctx.stderr.write(`WARNING: going on without credentials for ${domain}: ${messageOf(error)}\n`);
    return encodeAuth({});
  }
}
