import { createHash } from 'node:crypto';
import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import type { StatusResponse, Vertex } from '../messages/control_pb.ts';

/** What a trace is about. */
interface TracedBuild {
  readonly ref: string;
  readonly started: Date;
  readonly completed: Date;
  /** Why it failed. */
  readonly error: string | undefined;
  /** All that was told of it. */
  readonly told: readonly StatusResponse[];
}

/** Numbers of OpenTelemetry's kinds of spans. */
const kinds = { internal: 1, server: 2 } as const;
const noParent = '0'.repeat(16);

/**
 * The steps of a build as spans of OpenTelemetry, one JSON object in each line, in the form that Go's SDK writes (`SpanStub`), which
 * is what BuildKit's clients read. Steps are children of the build. The same build gives the same trace.
 */
export function traceOf({ ref, started, completed, error, told }: TracedBuild): Buffer {
  const traceId = hashOf(ref).slice(0, 32);
  const root = spanIdOf(ref, '');
  const steps = finished(told);
  const spans = [
    span(
      { name: 'build', id: root, parent: noParent, kind: kinds.server, started, completed, error },
      { traceId, attributes: { 'build.ref': ref }, children: steps.length },
    ),
    ...steps.map(({ digest, name, started: from, completed: to, cached, error: failure }) => {
      const id = spanIdOf(ref, digest);
      const times = { started: timestampDate(from), completed: timestampDate(to) };
      return span(
        { name, id, parent: root, kind: kinds.internal, ...times, error: failure || undefined },
        { traceId, attributes: { vertex: digest, cached }, children: 0 },
      );
    }),
  ];
  return Buffer.from(spans.map((one) => `${JSON.stringify(one)}\n`).join(''));
}

/** Steps that have an end, each as it was last told of. */
function finished(told: readonly StatusResponse[]): FinishedVertex[] {
  const steps = new Map<string, Vertex>();
  for (const { vertexes } of told) for (const vertex of vertexes) steps.set(vertex.digest, vertex);
  return [...steps.values()].filter(isFinished);
}

type FinishedVertex = Vertex & { readonly started: Timestamp; readonly completed: Timestamp };

function isFinished(vertex: Vertex): vertex is FinishedVertex {
  return vertex.started !== undefined && vertex.completed !== undefined;
}

interface SpanInput {
  readonly name: string;
  readonly id: string;
  readonly parent: string;
  readonly kind: number;
  readonly started: Date;
  readonly completed: Date;
  readonly error: string | undefined;
}

function span(
  { name, id, parent, kind, started, completed, error }: SpanInput,
  context: { traceId: string; attributes: Readonly<Record<string, string | boolean>>; children: number },
): object {
  const { traceId: TraceID, attributes, children } = context;
  const common = { TraceFlags: '01', TraceState: '', Remote: false };
  const isRoot = parent === noParent;
  return {
    Name: name,
    SpanContext: { TraceID, SpanID: id, ...common },
    Parent: { TraceID: isRoot ? '0'.repeat(32) : TraceID, SpanID: parent, ...common },
    SpanKind: kind,
    StartTime: started.toISOString(),
    EndTime: completed.toISOString(),
    Attributes: keyValues(attributes),
    Events: null,
    Links: null,
    Status: { Code: error === undefined ? 'Unset' : 'Error', Description: error ?? '' },
    DroppedAttributes: 0,
    DroppedEvents: 0,
    DroppedLinks: 0,
    ChildSpanCount: children,
    Resource: keyValues({ 'service.name': 'skiffd' }),
    InstrumentationLibrary: { Name: 'skiff', Version: '', SchemaURL: '' },
  };
}

function keyValues(attributes: Readonly<Record<string, string | boolean>>): object[] {
  return Object.entries(attributes).map(([Key, value]) => ({
    Key,
    Value: { Type: typeof value === 'boolean' ? 'BOOL' : 'STRING', Value: value },
  }));
}

function spanIdOf(ref: string, digest: string): string {
  return hashOf(`${ref}\0${digest}`).slice(0, 16);
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
