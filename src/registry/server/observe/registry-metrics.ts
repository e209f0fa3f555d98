import type { Fact, Observer } from '../observer.ts';
import { type Counter, type Histogram, Metrics } from './prometheus.ts';

/** Seconds. */
const durations = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120];
const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Counts what the registry does. No label holds what clients choose, so the number of lines is bounded. */
export class RegistryMetrics implements Observer {
  readonly metrics: Metrics = new Metrics();
  readonly #requests: Counter;
  readonly #seconds: Histogram;
  readonly #received: Counter;
  readonly #sent: Counter;
  readonly #facts: Counter;
  readonly #collectedBlobs: Counter;
  readonly #collectedBytes: Counter;

  constructor() {
    const { metrics } = this;
    this.#requests = metrics.counter('skiff_registry_requests_total', 'Requests that were answered.');
    this.#seconds = metrics.histogram('skiff_registry_request_seconds', 'Time that answers took.', durations);
    this.#received = metrics.counter('skiff_registry_received_bytes_total', 'Bytes of bodies from clients.');
    this.#sent = metrics.counter('skiff_registry_sent_bytes_total', 'Bytes of bodies to clients.');
    this.#facts = metrics.counter('skiff_registry_events_total', 'What happened to content, by kind.');
    this.#collectedBlobs = metrics.counter(
      'skiff_registry_collected_blobs_total',
      'Blobs removed as garbage.',
    );
    this.#collectedBytes = metrics.counter('skiff_registry_collected_bytes_total', 'Bytes of those blobs.');
    metrics.gauge('process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss());
    metrics.gauge('process_cpu_seconds', 'Processor time so far.', () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    });
    metrics.gauge('process_start_time_seconds', 'Start, in seconds since 1970.', () =>
      Math.round(Date.now() / 1000 - process.uptime()),
    );
  }

  observe(fact: Fact): void {
    if (fact.kind === 'collected') {
      this.#collectedBlobs.add({}, fact.blobs);
      this.#collectedBytes.add({}, fact.bytes);
    } else if (fact.kind === 'request') {
      const method = methods.has(fact.method) ? fact.method : 'other';
      const code = fact.complete ? String(fact.status) : 'hangup';
      this.#requests.add({ method, place: fact.place, code });
      this.#seconds.observe({ method, place: fact.place }, fact.duration / 1000);
      this.#received.add({ place: fact.place }, fact.received);
      this.#sent.add({ place: fact.place }, fact.sent);
    } else this.#facts.add({ kind: fact.kind });
  }
}
