import type { Answer, Sending } from './answer.ts';

/** What is bent, of which requests. */
export interface FaultRule {
  /** All methods if none is given. */
  readonly method?: string;
  /** Part of the path with its query, or a pattern for it. */
  readonly path?: string | RegExp;
  /** How many of the first requests that match are left alone. */
  readonly skip?: number;
  /** How many requests are bent; all if none is given. */
  readonly times?: number;
  readonly fault: Fault;
}

/** What goes wrong. Faults of several rules that match add up, in the order of the rules. */
export type Fault =
  /** Another answer instead of the right one: 429 with Retry-After, 503, a redirect, a body without end. */
  | { readonly kind: 'answer'; readonly answer: Answer }
  /** The connection is reset before an answer. */
  | { readonly kind: 'reset' }
  /** Nothing is ever answered. */
  | { readonly kind: 'silence' }
  /** Milliseconds until the answer, and before each `piece` bytes of its body. */
  | { readonly kind: 'slow'; readonly delay?: number; readonly pause?: number; readonly piece?: number }
  /** The connection is cut after so many bytes of the answer's body. */
  | { readonly kind: 'cut'; readonly after: number }
  /** A complete answer, but with the first `bytes` of the body only. */
  | { readonly kind: 'truncate'; readonly bytes: number }
  /** A complete answer with more at its end. */
  | { readonly kind: 'pad'; readonly bytes: number }
  /** One byte of the body is another one. */
  | { readonly kind: 'corrupt'; readonly at?: number }
  /** Headers that are other ones, or undefined for those that are left out: Content-Range, Content-Type, Content-Length … */
  | { readonly kind: 'headers'; readonly set: Readonly<Record<string, string | undefined>> }
  /** Whatever range is asked for, everything comes. */
  | { readonly kind: 'ignoreRange' }
  /** The connection is cut after so many bytes of the request's body; those are kept, or lost. */
  | { readonly kind: 'cutUpload'; readonly after: number; readonly lose?: boolean }
  /** The answer comes before the request's body has been read; that is then never read. */
  | { readonly kind: 'early'; readonly status: number }
  /** Everything is done, and then the connection is cut instead of an answer. */
  | { readonly kind: 'loseAnswer' };

/** The rules of a registry, and how often each was used. */
export class Faults {
  readonly #rules: { readonly rule: FaultRule; seen: number }[] = [];

  /** From now on. */
  add(...rules: readonly FaultRule[]): void {
    this.#rules.push(...rules.map((rule) => ({ rule, seen: 0 })));
  }

  /** Everything goes well again. */
  clear(): void {
    this.#rules.length = 0;
  }

  /** What goes wrong with this request. */
  of(method: string, path: string): Fault[] {
    return this.#rules
      .filter(({ rule }) => matches(rule, method, path))
      .filter((entry) => {
        const { skip = 0, times = Number.POSITIVE_INFINITY } = entry.rule;
        entry.seen += 1;
        return entry.seen > skip && entry.seen <= skip + times;
      })
      .map(({ rule }) => rule.fault);
  }
}

/** The answer as faults leave it. */
export function bend(answer: Answer, faults: readonly Fault[]): Answer {
  return faults.reduce(bendOnce, answer);
}

/** How the answer is sent. */
export function sendingOf(faults: readonly Fault[]): Sending {
  const cut = faults.find((fault) => fault.kind === 'cut');
  const slow = faults.find((fault) => fault.kind === 'slow');
  return { cutAfter: cut?.after, pause: slow?.pause, piece: slow?.piece };
}

function bendOnce(answer: Answer, fault: Fault): Answer {
  const body = Buffer.from(answer.body ?? '');
  if (fault.kind === 'answer') return fault.answer;
  if (fault.kind === 'truncate') return { ...answer, body: body.subarray(0, fault.bytes) };
  if (fault.kind === 'pad') return { ...answer, body: Buffer.concat([body, Buffer.alloc(fault.bytes, 'x')]) };
  if (fault.kind === 'corrupt' && body.length > 0) {
    const at = Math.min(fault.at ?? 0, body.length - 1);
    body[at] = (body[at] ?? 0) ^ 1;
    return { ...answer, body };
  }
  if (fault.kind === 'headers') {
    const all = { ...answer.headers, ...fault.set };
    const headers = Object.entries(all).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as const],
    );
    return { ...answer, headers: Object.fromEntries(headers) };
  }
  return answer;
}

function matches({ method, path }: FaultRule, wantedMethod: string, wantedPath: string): boolean {
  if (method !== undefined && method !== wantedMethod) return false;
  if (path === undefined) return true;
  return typeof path === 'string' ? wantedPath.includes(path) : path.test(wantedPath);
}
