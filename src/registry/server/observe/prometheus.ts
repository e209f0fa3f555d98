/** Labels of one line: name to value. */
export type Labels = Readonly<Record<string, string>>;

interface Family {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** Lines, without the family's name. */
  lines(name: string): Iterable<string>;
}

/**
 * Metrics in Prometheus' text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats). Label values must come
 * from small sets: each combination is kept for ever.
 */
export class Metrics {
  /** The media type of `text`. */
  static readonly contentType = 'text/plain; version=0.0.4; charset=utf-8';
  readonly #families = new Map<string, Family>();

  /** A number that only grows. */
  counter(name: string, help: string): Counter {
    const counter = new Counter();
    this.#add(name, { kind: 'counter', help, lines: (of) => counter.lines(of) });
    return counter;
  }

  /** A number that is looked up whenever somebody asks, or several with labels. */
  gauge(name: string, help: string, read: () => number | readonly (readonly [Labels, number])[]): void {
    const lines = (of: string): string[] => {
      const found = read();
      const all = typeof found === 'number' ? [[{}, found] as const] : found;
      return all.map(([labels, value]) => `${of}${braced(labelText(labels))} ${number(value)}`);
    };
    this.#add(name, { kind: 'gauge', help, lines });
  }

  /** How often values were at most `bounds`, which are in ascending order. */
  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    const histogram = new Histogram(bounds);
    this.#add(name, { kind: 'histogram', help, lines: (of) => histogram.lines(of) });
    return histogram;
  }

  /** All metrics as text. */
  text(): string {
    const lines: string[] = [];
    for (const [name, family] of this.#families) {
      lines.push(`# HELP ${name} ${family.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`);
      lines.push(`# TYPE ${name} ${family.kind}`, ...family.lines(name));
    }
    return `${lines.join('\n')}\n`;
  }

  #add(name: string, family: Family): void {
    if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)) throw new TypeError(`"${name}" is no name of a metric`);
    if (this.#families.has(name)) throw new TypeError(`there are two metrics called "${name}"`);
    this.#families.set(name, family);
  }
}

/** See `Metrics.counter`. */
export class Counter {
  readonly #values = new Map<string, number>();

  add(labels: Labels, amount = 1): void {
    const key = labelText(labels);
    this.#values.set(key, (this.#values.get(key) ?? 0) + amount);
  }

  *lines(name: string): Iterable<string> {
    for (const [labels, value] of this.#values) yield `${name}${braced(labels)} ${number(value)}`;
  }
}

/** See `Metrics.histogram`. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #values = new Map<string, { readonly counts: number[]; count: number; sum: number }>();

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
  }

  observe(labels: Labels, value: number): void {
    const key = labelText(labels);
    const seen = this.#values.get(key) ?? { counts: this.#bounds.map(() => 0), count: 0, sum: 0 };
    this.#values.set(key, seen);
    seen.count += 1;
    seen.sum += value;
    const first = this.#bounds.findIndex((bound) => value <= bound);
    if (first >= 0) seen.counts[first] = (seen.counts[first] ?? 0) + 1;
  }

  *lines(name: string): Iterable<string> {
    for (const [labels, { counts, count, sum }] of this.#values) {
      let total = 0;
      const comma = labels === '' ? '' : ',';
      for (const [index, bound] of this.#bounds.entries()) {
        total += counts[index] ?? 0;
        yield `${name}_bucket{${labels}${comma}le="${number(bound)}"} ${total}`;
      }
      yield `${name}_bucket{${labels}${comma}le="+Inf"} ${count}`;
      yield `${name}_sum${braced(labels)} ${number(sum)}`;
      yield `${name}_count${braced(labels)} ${count}`;
    }
  }
}

function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',');
}

function braced(labels: string): string {
  return labels === '' ? '' : `{${labels}}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function number(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
