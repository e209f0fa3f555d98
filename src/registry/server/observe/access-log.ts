import type { Fact, Observer } from '../observer.ts';

/**
 * One line of JSON for each request. Nothing secret is in it: paths come without their query (which can be signed), and no
 * header but User-Agent is written. JSON escapes whatever a client puts into a path or a name.
 */
export class AccessLog implements Observer {
  readonly #write: (line: string) => void;

  /** `write` must take lines at once. */
  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  observe(fact: Fact): void {
    if (fact.kind !== 'request') return;
    const { actor } = fact;
    const line = {
      time: new Date().toISOString(),
      remote: actor.remote,
      user: actor.user === '' ? undefined : actor.user,
      method: fact.method,
      path: shortened(fact.path),
      repository: fact.repository,
      status: fact.status,
      complete: fact.complete ? undefined : false,
      received: fact.received,
      sent: fact.sent,
      milliseconds: Math.round(fact.duration * 10) / 10,
      agent: actor.agent === undefined ? undefined : shortened(actor.agent),
    };
    this.#write(`${JSON.stringify(line)}\n`);
  }
}

function shortened(text: string): string {
  return text.length > 1024 ? `${text.slice(0, 1023)}…` : text;
}
