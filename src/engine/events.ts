import { Broadcaster } from '#/base/events.ts';
import { nowNano } from '#/base/time.ts';

/** Which kind of thing an event is about; Docker's `Type`. */
type EventType = 'builder' | 'container' | 'daemon' | 'image' | 'network' | 'volume';

/** A fact: published after the change was committed. */
export interface EngineEvent {
  readonly type: EventType;
  /** For example "start", "die", "exec_create: sh -c true". */
  readonly action: string;
  /** Whom it is about: an id (images: the reference or id, volumes: the name) and what filters and people want to see. */
  readonly actor: { readonly id: string; readonly attributes: Readonly<Record<string, string>> };
  /** Nanoseconds since 1970. */
  readonly timeNano: bigint;
}

/** How many past events `since` can still return; as many as Docker keeps. */
const historyLength = 256;

/** The daemon's event log: a short memory of the past and a broadcast of the present. */
export class Events {
  readonly #past: EngineEvent[] = [];
  readonly #live = new Broadcaster<EngineEvent>();

  /** How many clients read events now. */
  get listeners(): number {
    return this.#live.size;
  }

  /** Publishes a fact that happened now. */
  publish(event: Omit<EngineEvent, 'timeNano'>): void {
    const whole: EngineEvent = { ...event, timeNano: nowNano() };
    this.#past.push(whole);
    if (this.#past.length > historyLength) this.#past.shift();
    this.#live.publish(whole);
  }

  /**
   * Past events not older than `since` (none if undefined), then, without gap or repeat, those to come until `signal`
   * aborts.
   */
  subscribe({
    since,
    signal,
  }: {
    since?: bigint | undefined;
    signal: AbortSignal;
  }): AsyncGenerator<EngineEvent> {
    const past = since === undefined ? [] : this.#past.filter((event) => event.timeNano >= since);
    return concat(past, this.#live.subscribe({ signal }));
  }
}

async function* concat<T>(past: readonly T[], live: AsyncGenerator<T, void>): AsyncGenerator<T, void> {
  try {
    yield* past;
    yield* live;
  } finally {
    await live.return();
  }
}
