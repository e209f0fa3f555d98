import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type BuildHistoryRecord, BuildHistoryRecordSchema } from '../messages/control_pb.ts';
import { historyFilter } from './history-filter.ts';

const now = new Date('2024-01-02T00:00:00Z');

function record(
  ref: string,
  { seconds, error, attrs = {} }: { seconds?: number; error?: string; attrs?: Record<string, string> },
): BuildHistoryRecord {
  const created = new Date(now.getTime() - 3_600_000);
  return create(BuildHistoryRecordSchema, {
    ref,
    frontendAttrs: attrs,
    createdAt: timestampFromDate(created),
    ...(seconds !== undefined && {
      completedAt: timestampFromDate(new Date(created.getTime() + seconds * 1000)),
    }),
    ...(error !== undefined && { error: { code: 2, message: error } }),
  });
}

const records = [
  record('done', { seconds: 10, attrs: { 'vcs:source': 'https://h/a.git' } }),
  record('failed', { seconds: 100, error: 'exit code: 1', attrs: { context: 'https://h/b.git#main:sub' } }),
  record('stopped', { seconds: 1000, error: 'context canceled', attrs: { context: 'git@' } }),
  record('going', {}),
];

test('historyFilter: takes builds by name, state, repository and time', () => {
  const cases: [filters: string[], refs: string[]][] = [
    [[], ['done', 'failed', 'stopped', 'going']],
    [['status==completed'], ['done']],
    [['status==error'], ['failed']],
    [['status==canceled'], ['stopped']],
    [['status==running'], ['going']],
    [['status!=running,ref~=d'], ['done', 'failed', 'stopped']],
    [
      ['ref==done', 'ref==going'],
      ['done', 'going'],
    ],
    [['repository==https://h/b.git'], ['failed']],
    [['repository~=h/a'], ['done']],
    [['duration>=1m40s'], ['failed', 'stopped']],
    [['duration<1m,status!=running'], ['done']],
    [['startedAt>2h'], ['done', 'failed', 'stopped', 'going']],
    [['startedAt>30m'], []],
    [['completedAt>=2024-01-01T23:16:00Z'], ['stopped']],
    [['"startedAt<=2024-01-01T23:00:00Z"'], ['done', 'failed', 'stopped', 'going']],
  ];
  for (const [filters, refs] of cases) {
    const found = records.filter(historyFilter(filters, { now })).map(({ ref }) => ref);
    assert.deepEqual(found, refs, filters.join(' '));
  }
});

test('historyFilter: refuses what means nothing', () => {
  const cases: [filter: string, message: RegExp][] = [
    ['colour==red', /invalid filter "colour==red"/],
    ['status=completed', /invalid filter/],
    ['duration>soon', /invalid duration soon/],
    ['startedAt<soon', /invalid time soon/],
    ['constructor>1m', /invalid filter/],
  ];
  for (const [filter, message] of cases) assert.throws(() => historyFilter([filter], { now }), message);
});
