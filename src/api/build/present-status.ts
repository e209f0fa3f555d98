import type { BuildEvent, StatusEvent, VertexEvent, WarningEvent } from '#/builder/progress.ts';
import type { BuildStatus, BuildVertex, VertexStatus, VertexWarning } from '#/wire/build-status.ts';

/** An event as BuildKit's clients print it; undefined for what they have no words for. */
export function presentBuildEvent(event: BuildEvent): BuildStatus | undefined {
  switch (event.kind) {
    case 'dockerfile':
    case 'plan':
      return undefined;
    case 'vertex':
      return { vertexes: [vertex(event)] };
    case 'status':
      return { statuses: [status(event)] };
    case 'log': {
      const { vertex: digest, stream, data, time } = event;
      const log = { vertex: digest, stream, data: data.toString('base64'), timestamp: time.toISOString() };
      return { logs: [log] };
    }
    case 'warning':
      return { warnings: [warning(event)] };
    default:
      return event satisfies never;
  }
}

function vertex({ digest, name, inputs, started, completed, ...more }: VertexEvent): BuildVertex {
  const { cached, error, explanation } = more;
  return {
    digest,
    ...(inputs.length > 0 && { inputs }),
    name,
    ...(started !== undefined && { started: started.toISOString() }),
    ...(completed !== undefined && { completed: completed.toISOString() }),
    ...(cached && { cached }),
    ...(error !== undefined && { error }),
    ...(explanation !== undefined && { explanation }),
  };
}

function status({ id, vertex: digest, current, total, started, completed }: StatusEvent): VertexStatus {
  return {
    id,
    vertex: digest,
    current,
    ...(total > 0 && { total }),
    timestamp: new Date().toISOString(),
    started: started.toISOString(),
    ...(completed !== undefined && { completed: completed.toISOString() }),
  };
}

function warning({ vertex: digest, rule, short, detail, url, source, lines }: WarningEvent): VertexWarning {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const [first, last] = lines;
  const text = `${rule}: ${short}${first > 0 ? ` (line ${first})` : ''}`;
  return {
    ...(digest !== undefined && { vertex: digest }),
    level: 1,
    short: base64(text),
    detail: detail.map(base64),
    ...(url !== '' && { url }),
    sourceInfo: { filename: source.name },
    range: [{ start: { line: first }, end: { line: last } }],
  };
}
