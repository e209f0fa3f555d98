import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { StatusResponseSchema } from '../messages/control_pb.ts';
import { decodeStatusLog, encodeStatusLog } from './status-log.ts';
import { traceOf } from './trace.ts';

const at = (second: number): Date => new Date(second * 1000);
const time = (second: number): ReturnType<typeof timestampFromDate> => timestampFromDate(at(second));

const told = [
  create(StatusResponseSchema, {
    vertexes: [
      { digest: 'sha256:1', name: 'FROM x', started: time(1), completed: time(2), cached: true },
      { digest: 'sha256:2', name: 'RUN y', started: time(2) },
      { digest: 'sha256:3', name: 'RUN never' },
    ],
    logs: [{ vertex: 'sha256:2', stream: 1n, msg: Buffer.from('said') }],
  }),
  create(StatusResponseSchema, {
    vertexes: [
      { digest: 'sha256:2', name: 'RUN y', started: time(2), completed: time(4), error: 'exit code: 1' },
    ],
  }),
];

test('encodeStatusLog: what is decoded is what was encoded', () => {
  const log = encodeStatusLog(told);
  assert.deepEqual([...decodeStatusLog(log)], told);
  assert.throws(() => [...decodeStatusLog(log.subarray(0, -1))], /cut off/);
  assert.throws(() => [...decodeStatusLog(log.subarray(0, 3))], /cut off/);
});

test('traceOf: each step that has ended is a child of the build', () => {
  const input = { ref: 'b', started: at(0), completed: at(5), error: 'exit code: 1', told };
  const trace = traceOf(input);
  assert.deepEqual(trace, traceOf(input));
  const [root, ...steps] = trace
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.match(root.SpanContext.TraceID, /^[0-9a-f]{32}$/);
  assert.match(root.SpanContext.SpanID, /^[0-9a-f]{16}$/);
  assert.deepEqual([root.Name, root.ChildSpanCount, root.Status.Code], ['build', 2, 'Error']);
  assert.deepEqual(
    steps.map(({ Name, StartTime, EndTime, Status, Parent, Attributes }) => [
      Name,
      Date.parse(EndTime) - Date.parse(StartTime),
      Status.Description,
      Parent.SpanID === root.SpanContext.SpanID,
      Attributes[1].Value.Value,
    ]),
    [
      ['FROM x', 1000, '', true, true],
      ['RUN y', 2000, 'exit code: 1', true, false],
    ],
  );
});
