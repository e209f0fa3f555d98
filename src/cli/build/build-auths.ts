import { messageOf } from '#/base/errors.ts';
import type { AuthConfig } from '#/wire/registry.ts';
import type { Context } from '../command.ts';
import { defaultHelper } from '../credentials/default-helper.ts';
import { environmentAuths } from '../credentials/environment.ts';
import { credentialsFor, hubServer } from '../credentials/resolve.ts';

/**
 * The user's credentials for the registries that a build may meet, by their keys. Those that the configuration itself has
 * all go along; a helper program is only asked for Docker Hub and for hosts that `texts` (the Dockerfile, arguments, names)
 * mention. Warns of what cannot be read: public images need no credentials.
 */
export async function buildAuths(
  ctx: Context,
  texts: readonly string[],
): Promise<Readonly<Record<string, AuthConfig>>> {
  const { auths, credHelpers } = ctx.config.values;
  const servers = new Set([
    ...Object.keys(auths),
    ...Object.keys(credHelpers),
    ...environmentAuths(ctx).keys(),
  ]);
  const general = defaultHelper(ctx.config.values, ctx.env);
  const found = await Promise.all(
    [...servers].map(async (server): Promise<[string, AuthConfig][]> => {
      const needsHelper = general !== '' || Object.hasOwn(credHelpers, server);
      const isMentioned = server === hubServer || texts.some((text) => text.includes(hostOf(server)));
      if (needsHelper && !isMentioned) return [];
      const auth = await wanted(ctx, server);
      return Object.keys(auth).length === 0 ? [] : [[server, auth]];
    }),
  );
  return Object.fromEntries(found.flat());
}

async function wanted(ctx: Context, server: string): Promise<AuthConfig> {
  const host = hostOf(server);
  try {
    return await credentialsFor(ctx, server === hubServer ? 'docker.io' : host);
  } catch (error) {
    ctx.stderr.write(`WARNING: going on without credentials for ${host}: ${messageOf(error)}\n`);
    return {};
  }
}

const hostOf = (server: string): string => server.replace(/^https?:\/\//, '').split('/')[0] ?? '';
