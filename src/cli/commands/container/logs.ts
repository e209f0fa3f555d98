import { containerLogs, inspectContainer } from '#/client/containers.ts';
import type { ContainerInspect } from '#/wire/container-inspect.ts';
import { type Command, defineCommand } from '../../command.ts';
import { boolFlag, stringFlag } from '../../flags/flag.ts';
import { copyBytes, copyFrames } from '../../streams.ts';
import { parseTimestamp } from '../../timestamps.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] CONTAINER',
  arity: { min: 1, max: 1 },
  flags: {
    details: boolFlag('Show what the log driver adds'),
    follow: boolFlag('Go on as more is written', { short: 'f' }),
    since: stringFlag('From this time on: "2026-01-02T13:23:37Z", or "42m" for 42 minutes ago'),
    tail: stringFlag('How many lines from the end', { short: 'n', initial: 'all' }),
    timestamps: boolFlag('Show when each line was written', { short: 't' }),
    until: stringFlag('Up to this time: "2026-01-02T13:23:37Z", or "42m" for 42 minutes ago'),
  },
  async run({ client, stdout, stderr }, { flags, args: [name = ''] }) {
    const container = JSON.parse(await inspectContainer(client, name)) as ContainerInspect;
    const body = await containerLogs(client, container.Id, {
      follow: flags.follow,
      timestamps: flags.timestamps,
      details: flags.details,
      tail: flags.tail,
      since: timestamp('since', flags.since),
      until: timestamp('until', flags.until),
    });
    if (container.Config.Tty) await copyBytes(body, stdout.stream);
    else await copyFrames(body, { stdout: stdout.stream, stderr: stderr.stream });
  },
});

function timestamp(name: string, text: string): string | undefined {
  if (text === '') return undefined;
  try {
    return parseTimestamp(text);
  } catch (error) {
    throw new Error(`invalid value for "${name}": ${error instanceof Error ? error.message : text}`, {
      cause: error,
    });
  }
}
