import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RequestFact } from '../observer.ts';
import { AccessLog } from './access-log.ts';
import { RegistryMetrics } from './registry-metrics.ts';

const request: RequestFact = {
  kind: 'request',
  method: 'GET',
  path: '/v2/a/manifests/latest',
  place: 'manifest',
  repository: 'a',
  status: 200,
  complete: true,
  duration: 12.34,
  received: 0,
  sent: 100,
  actor: { user: 'alice', remote: '192.0.2.1', agent: 'docker/28' },
};

test('AccessLog: one line of JSON for each request, whatever is in it', () => {
  const lines: string[] = [];
  const log = new AccessLog((line) => lines.push(line));
  log.observe(request);
  log.observe({
    ...request,
    path: `/x\n{"y"${'z'.repeat(5000)}`,
    complete: false,
    actor: { ...request.actor, user: undefined },
  });
  log.observe({ kind: 'collected', blobs: 1, bytes: 2 });
  assert.equal(lines.length, 2);
  const [first, second] = lines.map((line): Record<string, unknown> => JSON.parse(line));
  assert.deepEqual(
    { ...first, time: undefined },
    {
      time: undefined,
      remote: '192.0.2.1',
      user: 'alice',
      method: 'GET',
      path: '/v2/a/manifests/latest',
      repository: 'a',
      status: 200,
      received: 0,
      sent: 100,
      milliseconds: 12.3,
      agent: 'docker/28',
    },
  );
  assert.ok(lines.every((line) => line.indexOf('\n') === line.length - 1 && line.length < 2000));
  assert.equal(second?.['complete'], false);
});

test('RegistryMetrics: counts requests without taking labels from clients', () => {
  const counts = new RegistryMetrics();
  counts.observe(request);
  counts.observe({ ...request, method: 'BREW', complete: false });
  counts.observe({ kind: 'collected', blobs: 2, bytes: 50 });
  counts.observe({ kind: 'tagDeleted', repository: 'a', tag: 'b', actor: request.actor });
  const text = counts.metrics.text();
  for (const line of [
    'skiff_registry_requests_total{method="GET",place="manifest",code="200"} 1',
    'skiff_registry_requests_total{method="other",place="manifest",code="hangup"} 1',
    'skiff_registry_request_seconds_bucket{method="GET",place="manifest",le="0.025"} 1',
    'skiff_registry_sent_bytes_total{place="manifest"} 200',
    'skiff_registry_collected_blobs_total 2',
    'skiff_registry_collected_bytes_total 50',
    'skiff_registry_events_total{kind="tagDeleted"} 1',
  ]) {
    assert.ok(text.includes(`${line}\n`), `${line}\n${text}`);
  }
});
