import { messageOf } from '#/base/errors.ts';
import { systemInfo } from '#/client/system.ts';
import type { SystemInfo } from '#/wire/system.ts';
import { apiVersion } from '#/wire/version.ts';
import { type Command, type Context, defineCommand, ExitError } from '../../command.ts';
import { stringFlag } from '../../flags/flag.ts';
import { parseJson } from '../../format/go-json.ts';
import { isMap } from '../../format/go-values.ts';
import { describeInfo } from '../../format/info.ts';
import { Template } from '../../format/template.ts';
import { inspectFormatUsage } from '../../usage-texts.ts';
import { version } from '../../version.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS]',
  arity: { max: 0 },
  flags: { format: stringFlag(inspectFormatUsage, { short: 'f' }) },
  async run(ctx, { flags }) {
    if (flags.format === '') await printInfo(ctx);
    else await formatInfo(ctx, flags.format);
  },
});

async function printInfo({ client, stdout, stderr }: Context): Promise<void> {
  stdout.write(`Client:\n Version:    ${version}\n Context:    default\n Debug Mode: false\n\nServer:\n`);
  const info = JSON.parse(await systemInfo(client)) as SystemInfo;
  stdout.write(describeInfo(info));
  for (const warning of info.Warnings ?? []) stderr.write(`${warning}\n`);
}

async function formatInfo({ client, stdout }: Context, format: string): Promise<void> {
  const template = parse(format === 'json' ? '{{json .}}' : format);
  const info = parseJson(await systemInfo(client));
  const own = {
    Debug: false,
    Version: version,
    DefaultAPIVersion: apiVersion,
    Context: 'default',
    Plugins: [],
    Warnings: null,
  };
  const text = template.execute({ ...(isMap(info) ? info : {}), ClientInfo: own }, { strict: true });
  stdout.write(`${text}\n`);
}

function parse(format: string): Template {
  try {
    return new Template(format);
  } catch (error) {
    throw new ExitError(64, `template parsing error: ${messageOf(error)}`, { cause: error });
  }
}
