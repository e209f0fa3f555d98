import type { EngineEvent } from '#/engine/events.ts';
import type { EventMessage } from '#/wire/events.ts';
import type { Filters } from '#/wire/filters.ts';

/** One line of `GET /events`. */
export function presentEvent({ type, action, actor, timeNano }: EngineEvent): EventMessage {
  const { id, attributes } = actor;
  const from = attributes['image'];
  const legacy =
    type === 'container'
      ? { status: action, id, ...(from === undefined ? {} : { from }) }
      : type === 'image'
        ? { status: action, id }
        : {};
  return {
    ...legacy,
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: attributes },
    scope: 'local',
    time: Number(timeNano / 1_000_000_000n),
    timeNano,
  };
}

/** Tells which events a client asked for. Filters that do not exist are ignored, as Docker does. */
export function eventFilter(filters: Filters): (event: EngineEvent) => boolean {
  const any = (name: string, test: (value: string) => boolean): boolean => {
    const values = filters.get(name);
    return values === undefined || values.length === 0 || values.some(test);
  };
  return ({ type, action, actor: { id, attributes } }) => {
    const named = (value: string): boolean =>
      id.startsWith(value) || (attributes['name'] ?? '').startsWith(value);
    return (
      any('event', (value) => action === value || action.startsWith(`${value}:`)) &&
      any('type', (value) => type === value) &&
      any('scope', (value) => value === 'local') &&
      any('container', (value) => type === 'container' && named(value)) &&
      any('volume', (value) => type === 'volume' && named(value)) &&
      any('network', (value) => type === 'network' && named(value)) &&
      any('image', (value) => isImage(value, { id, attributes })) &&
      any('daemon', (value) => type === 'daemon' && named(value)) &&
      ['plugin', 'node', 'service', 'secret', 'config'].every((name) => any(name, () => false)) &&
      (filters.get('label') ?? []).every((label) => hasLabel(attributes, label))
    );
  };
}

/** An image by id or name, with or without the tag; containers' events name their image too. */
function isImage(value: string, { id, attributes }: EngineEvent['actor']): boolean {
  const names = [id, attributes['name'] ?? '', attributes['image'] ?? ''];
  return names.some((name) => name !== '' && (name === value || name.replace(/:[^:/]+$/, '') === value));
}

function hasLabel(attributes: Readonly<Record<string, string>>, label: string): boolean {
  const at = label.indexOf('=');
  if (at < 0) return Object.hasOwn(attributes, label);
  const key = label.slice(0, at);
  return Object.hasOwn(attributes, key) && attributes[key] === label.slice(at + 1);
}
