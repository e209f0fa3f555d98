import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metrics } from './prometheus.ts';

test('Metrics: counters, gauges and histograms as Prometheus reads them', () => {
  const metrics = new Metrics();
  const requests = metrics.counter('requests_total', 'Requests\nof all');
  metrics.gauge('up', 'Whether', () => 1);
  metrics.gauge('waiting', 'Each', () => [
    [{ name: 'a' }, 1],
    [{ name: 'b' }, 2],
  ]);
  const seconds = metrics.histogram('seconds', 'Time', [0.1, 1]);
  requests.add({ code: '200', path: 'a"b\\c\nd' });
  requests.add({ code: '200', path: 'a"b\\c\nd' }, 2);
  requests.add({});
  for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe({ method: 'GET' }, value);
  seconds.observe({}, Number.POSITIVE_INFINITY);
  assert.equal(
    metrics.text(),
    [
      '# HELP requests_total Requests\\nof all',
      '# TYPE requests_total counter',
      'requests_total{code="200",path="a\\"b\\\\c\\nd"} 3',
      'requests_total 1',
      '# HELP up Whether',
      '# TYPE up gauge',
      'up 1',
      '# HELP waiting Each',
      '# TYPE waiting gauge',
      'waiting{name="a"} 1',
      'waiting{name="b"} 2',
      '# HELP seconds Time',
      '# TYPE seconds histogram',
      'seconds_bucket{method="GET",le="0.1"} 2',
      'seconds_bucket{method="GET",le="1"} 3',
      'seconds_bucket{method="GET",le="+Inf"} 4',
      'seconds_sum{method="GET"} 7.65',
      'seconds_count{method="GET"} 4',
      'seconds_bucket{le="0.1"} 0',
      'seconds_bucket{le="1"} 0',
      'seconds_bucket{le="+Inf"} 1',
      'seconds_sum +Inf',
      'seconds_count 1',
      '',
    ].join('\n'),
  );
});

test('Metrics: names are checked', () => {
  const metrics = new Metrics();
  metrics.counter('a', 'x');
  assert.throws(() => metrics.counter('a', 'x'), /two metrics called "a"/);
  assert.throws(() => metrics.counter('a b', 'x'), /"a b" is no name/);
});
