import { messageOf } from '#/base/errors.ts';
import { systemVersion } from '#/client/system.ts';
import type { SystemVersion } from '#/wire/system.ts';
import { apiVersion } from '#/wire/version.ts';
import { type Command, type Context, defineCommand, ExitError } from '../../command.ts';
import { stringFlag } from '../../flags/flag.ts';
import type { GoMap } from '../../format/go-values.ts';
import { parseTemplateOrThrow } from '../../format/list.ts';
import { shaped } from '../../format/shape.ts';
import { versionShape } from '../../format/shapes/version.ts';
import { alignColumns } from '../../format/tabwriter.ts';
import { asctime } from '../../format/times.ts';
import { inspectFormatUsage } from '../../usage-texts.ts';
import { version } from '../../version.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS]',
  arity: { max: 0 },
  flags: { format: stringFlag(inspectFormatUsage, { short: 'f' }) },
  async run(ctx, { flags }) {
    const template =
      flags.format === '' ? undefined : parse(flags.format === 'json' ? '{{json .}}' : flags.format);
    const { server, failure } = await askServer(ctx);
    const api = failure === undefined ? await ctx.client.apiVersion() : apiVersion;
    const client = clientVersion(api);
    if (template === undefined) ctx.stdout.write(`${alignColumns(pretty(client, server), layout)}\n`);
    else {
      const value = shaped({ Client: client, Server: server as GoMap | null }, versionShape);
      try {
        ctx.stdout.write(`${template.execute(value)}\n`);
      } catch (error) {
        ctx.stdout.write('\n');
        throw failure ?? error;
      }
    }
    if (failure !== undefined) throw failure;
  },
});

const layout = { minWidth: 20, padding: 1 };

function parse(format: string): ReturnType<typeof parseTemplateOrThrow> {
  try {
    return parseTemplateOrThrow(format, 'version');
  } catch (error) {
    throw new ExitError(64, messageOf(error), { cause: error });
  }
}

/** What the daemon says of itself; the version of the command is worth showing without it too. */
async function askServer({ client }: Context): Promise<{ server: SystemVersion | null; failure?: Error }> {
  try {
    return { server: withDates(JSON.parse(await systemVersion(client)) as SystemVersion) };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { server: null, failure: error };
  }
}

function withDates(server: SystemVersion): SystemVersion {
  const components = server.Components.map((component) => {
    const built = component.Details?.['BuildTime'];
    if (component.Name !== 'Engine' || built === undefined) return component;
    return { ...component, Details: { ...component.Details, BuildTime: asctime(built) } };
  });
  return { ...server, Components: components };
}

const architectures: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  arm64: 'arm64',
  arm: 'arm',
};

function clientVersion(api: string) {
  return {
    Version: version,
    ApiVersion: api,
    DefaultAPIVersion: apiVersion,
    Os: process.platform,
    Arch: architectures[process.arch] ?? process.arch,
    Context: 'default',
  };
}

function pretty(client: ReturnType<typeof clientVersion>, server: SystemVersion | null): string {
  const lines = [
    'Client:',
    ` Version:\t${client.Version}`,
    ` API version:\t${client.ApiVersion}${client.ApiVersion === apiVersion ? '' : ` (downgraded from ${apiVersion})`}`,
    ` OS/Arch:\t${client.Os}/${client.Arch}`,
    ` Context:\t${client.Context}`,
  ];
  if (server === null) return lines.join('\n');
  const name = server.Platform.Name === '' ? '' : ` ${server.Platform.Name}`;
  lines.push('', `Server:${name}`);
  for (const { Name, Version, Details = {} } of server.Components) {
    lines.push(` ${Name}:`, `  Version:\t${Version}`);
    if (Name === 'Engine') lines.push(...engineLines(Details));
    else for (const key of Object.keys(Details).sort()) lines.push(`  ${key}:\t${Details[key]}`);
  }
  return lines.join('\n');
}

function engineLines(details: Readonly<Record<string, string>>): string[] {
  const detail = (key: string): string => details[key] ?? '';
  return [
    `  API version:\t${detail('ApiVersion')} (minimum version ${detail('MinAPIVersion')})`,
    `  Go version:\t${detail('GoVersion')}`,
    `  Git commit:\t${detail('GitCommit')}`,
    `  Built:\t${detail('BuildTime')}`,
    `  OS/Arch:\t${detail('Os')}/${detail('Arch')}`,
    `  Experimental:\t${detail('Experimental')}`,
  ];
}
