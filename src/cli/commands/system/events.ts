import { messageOf } from '#/base/errors.ts';
import { systemEvents } from '#/client/system.ts';
import { decodeEvent, type EventMessage } from '#/wire/events.ts';
import { jsonTexts } from '#/wire/json-stream.ts';
import { type Command, defineCommand, ExitError } from '../../command.ts';
import { filterFlag, stringFlag } from '../../flags/flag.ts';
import { parseJson } from '../../format/go-json.ts';
import { type Shape, shaped } from '../../format/shape.ts';
import { eventShape } from '../../format/shapes/event.ts';
import { Template } from '../../format/template.ts';
import { localNanoseconds } from '../../format/times.ts';
import { parseTimestamp } from '../../timestamps.ts';
import { inspectFormatUsage } from '../../usage-texts.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS]',
  arity: { max: 0 },
  flags: {
    filter: filterFlag('Only those that match, e.g. "type=container"', { short: 'f' }),
    format: stringFlag(inspectFormatUsage),
    since: stringFlag('From this time on: "2026-01-02T13:23:37Z", or "42m" for 42 minutes ago'),
    until: stringFlag('Up to this time; without it, go on for ever'),
  },
  async run({ client, stdout }, { flags }) {
    const template = parseFormat(flags.format, eventShape);
    const body = await systemEvents(client, {
      since: flags.since === '' ? undefined : parseTimestamp(flags.since),
      until: flags.until === '' ? undefined : parseTimestamp(flags.until),
      filters: flags.filter,
    });
    for await (const text of jsonTexts(body)) {
      const line =
        template === undefined
          ? eventLine(decodeEvent(text))
          : template.execute(shaped(parseJson(text), eventShape));
      stdout.write(`${line}\n`);
    }
  },
});

/** Tries the template on an event without content, so that a mistake shows before anything happens. */
function parseFormat(format: string, shape: Shape): Template | undefined {
  if (format === '') return undefined;
  try {
    const template = new Template(format === 'json' ? '{{json .}}' : format);
    template.execute(shaped({}, shape));
    return template;
  } catch (error) {
    throw new ExitError(64, `Error parsing format: ${messageOf(error)}`, { cause: error });
  }
}

function eventLine({ Type, Action, Actor, timeNano }: EventMessage): string {
  const attributes = Object.entries(Actor.Attributes ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`);
  const suffix = attributes.length === 0 ? '' : ` (${attributes.join(', ')})`;
  return `${localNanoseconds(timeNano)} ${Type} ${Action} ${Actor.ID}${suffix}`;
}
