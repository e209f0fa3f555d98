import { unlessAborted } from '#/base/abort.ts';

/** What is said while work is done, to everybody who waits for it. */
export type Listener<Message> = (message: Message) => undefined | Promise<void>;

/** How work that several may wait for is to be done. */
export interface FlightControl<Message> {
  /** Aborts when nobody waits any more. */
  readonly signal: AbortSignal;
  readonly tell: Listener<Message>;
}

interface Flight<Result, Message> {
  readonly work: Promise<Result>;
  readonly listeners: Set<Listener<Message>>;
  readonly stop: AbortController;
}

/** Work by key, that is done once for all who want it at the same time. It ends early only when the last of them leaves. */
export class Flights<Result, Message> {
  readonly #flights = new Map<string, Flight<Result, Message>>();

  /** Joins the work of this key, or starts it. Rejects with the signal's reason for who leaves. */
  async join(
    key: string,
    work: (control: FlightControl<Message>) => Promise<Result>,
    { signal, listener }: { readonly signal: AbortSignal; readonly listener: Listener<Message> },
  ): Promise<Result> {
    signal.throwIfAborted();
    const flight = this.#flights.get(key) ?? this.#start(key, work);
    // Each who joins counts, also with a listener that another one has.
    const mine: Listener<Message> = (message) => listener(message);
    flight.listeners.add(mine);
    try {
      return await unlessAborted(flight.work, signal);
    } finally {
      flight.listeners.delete(mine);
      if (flight.listeners.size === 0) {
        // Who comes now begins anew.
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
        flight.stop.abort(signal.reason ?? new Error('nobody waits for this any more'));
      }
    }
  }

  #start(key: string, work: (control: FlightControl<Message>) => Promise<Result>): Flight<Result, Message> {
    const listeners = new Set<Listener<Message>>();
    const stop = new AbortController();
    const tell: Listener<Message> = (message) => {
      const waits = [...listeners].flatMap((listener) => listener(message) ?? []);
      return waits.length === 0 ? undefined : Promise.all(waits).then(() => {});
    };
    const flight = { work: work({ signal: stop.signal, tell }), listeners, stop };
    this.#flights.set(key, flight);
    const forget = (): void => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    flight.work.then(forget, forget);
    return flight;
  }
}
