import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageOf } from '#/base/errors.ts';
import { checkLogConfig, planLog } from './log-config.ts';

type Options = Readonly<Record<string, string>>;

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return messageOf(error);
  }
  return 'accepted';
}

test('checkLogConfig: refuses what Docker refuses at create', () => {
  const answers: readonly (readonly [type: string, options: Options, message: string])[] = [
    ['foo', {}, 'error looking up logging plugin foo: plugin "foo" not found'],
    ['json-file', { foo: '1' }, "unknown log opt 'foo' for json-file log driver"],
    ['json-file', { mode: 'maybe' }, 'logger: logging mode not supported: maybe'],
    [
      'json-file',
      { mode: 'non-blocking', 'max-buffer-size': 'x' },
      "error parsing option max-buffer-size: invalid size: 'x'",
    ],
    [
      'json-file',
      { mode: 'blocking', 'max-buffer-size': '1m' },
      "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
    ],
    ['local', { foo: '1' }, "unknown log opt 'foo' for log driver local"],
    ['local', { labels: 'x' }, "unknown log opt 'labels' for log driver local"],
    ['none', { foo: '1' }, 'accepted'],
    ['json-file', { labels: 'x', env: 'y', tag: 'z', 'max-size': 'abc' }, 'accepted'],
    ['journald', {}, 'the log driver "journald" is not implemented'],
  ];
  for (const [type, options, message] of answers) {
    assert.equal(
      refusal(() => checkLogConfig({ Type: type, Config: options })),
      message,
      `${type} ${JSON.stringify(options)}`,
    );
  }
});

test('planLog: refuses at the start the values that Docker refuses then', () => {
  const prefix = 'failed to create task for container: failed to initialize logging driver: ';
  const answers: readonly (readonly [type: string, options: Options, message: string])[] = [
    ['json-file', { 'max-size': 'abc' }, "invalid size: 'abc'"],
    ['json-file', { 'max-size': '-1' }, "invalid size: '-1'"],
    ['json-file', { 'max-size': '0' }, 'max-size must be a positive number'],
    ['json-file', { 'max-size': '10k', 'max-file': '0' }, 'max-file cannot be less than 1'],
    ['json-file', { 'max-file': 'x' }, 'strconv.Atoi: parsing "x": invalid syntax'],
    [
      'json-file',
      { compress: 'true', 'max-size': '1k' },
      'compress cannot be true when max-file is less than 2 or max-size is not set',
    ],
    ['json-file', { compress: 'maybe' }, 'strconv.ParseBool: parsing "maybe": invalid syntax'],
    ['local', { 'max-size': 'abc' }, "invalid value for max-size: abc: invalid size: 'abc'"],
    ['local', { 'max-file': '0' }, 'compression cannot be enabled when max file count is 1'],
    [
      'local',
      { compress: 'x' },
      'error reading compress log option: strconv.ParseBool: parsing "x": invalid syntax',
    ],
  ];
  for (const [type, options, message] of answers) {
    assert.equal(
      refusal(() => planLog({ Type: type, Config: options })),
      prefix + message,
      `${type} ${JSON.stringify(options)}`,
    );
  }
});

test('planLog: no limits unless they are set, except those of local', () => {
  const limitsOf = (Type: string, Config: Options): unknown => {
    const plan = planLog({ Type, Config });
    return plan.kind === 'file' ? plan.limits : plan.kind;
  };
  assert.equal(limitsOf('none', {}), 'none');
  assert.equal(limitsOf('json-file', { 'max-file': '3' }), undefined);
  assert.deepEqual(limitsOf('json-file', { 'max-size': '1.5k' }), { maxBytes: 1536, maxFiles: 1 });
  assert.deepEqual(limitsOf('json-file', { 'max-size': '1k', 'max-file': '2', compress: 't' }), {
    maxBytes: 1024,
    maxFiles: 2,
  });
  assert.deepEqual(limitsOf('local', {}), { maxBytes: 20 << 20, maxFiles: 5 });
  assert.deepEqual(limitsOf('local', { 'max-file': '1', compress: '0' }), {
    maxBytes: 20 << 20,
    maxFiles: 1,
  });
});
