import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FlightControl, Flights } from './flights.ts';

type Work = (control: FlightControl<string>) => Promise<number>;

function started(): {
  work: Work;
  control: Promise<FlightControl<string>>;
  finish: (value: number) => void;
  runs: () => number;
} {
  const result = Promise.withResolvers<number>();
  const control = Promise.withResolvers<FlightControl<string>>();
  let runs = 0;
  return {
    work: (given) => {
      runs += 1;
      control.resolve(given);
      given.signal.addEventListener('abort', () => result.reject(given.signal.reason));
      return result.promise;
    },
    control: control.promise,
    finish: result.resolve,
    runs: () => runs,
  };
}

test('Flights: work of one key is done once, and all hear of it', async () => {
  const flights = new Flights<number, string>();
  const { work, control, finish, runs } = started();
  const heard: string[] = [];
  const listen = (name: string) => (message: string) => {
    heard.push(`${name} ${message}`);
    return undefined;
  };
  const { signal } = new AbortController();
  const one = flights.join('k', work, { signal, listener: listen('one') });
  const two = flights.join('k', work, { signal, listener: listen('two') });
  void (await control).tell('hello');
  finish(7);
  assert.deepEqual(await Promise.all([one, two]), [7, 7]);
  assert.deepEqual(heard, ['one hello', 'two hello']);
  assert.equal(runs(), 1);
  const again = started();
  again.finish(8);
  assert.equal(await flights.join('k', again.work, { signal, listener: listen('three') }), 8);
});

test('Flights: who leaves stops the work only as the last one', async () => {
  const flights = new Flights<number, string>();
  const { work, control, finish } = started();
  const first = new AbortController();
  const second = new AbortController();
  const listener = (): undefined => undefined;
  const one = flights.join('k', work, { signal: first.signal, listener });
  const two = flights.join('k', work, { signal: second.signal, listener });
  const reason = new Error('enough');
  first.abort(reason);
  await assert.rejects(one, reason);
  const { signal } = await control;
  assert.equal(signal.aborted, false);
  finish(1);
  assert.equal(await two, 1);
  const other = started();
  const third = new AbortController();
  const three = flights.join('k', other.work, { signal: third.signal, listener });
  third.abort(reason);
  await assert.rejects(three, reason);
  assert.equal((await other.control).signal.reason, reason);
});

test('Flights: the work waits for slow listeners', async () => {
  const flights = new Flights<number, string>();
  const { work, control, finish } = started();
  const slow = Promise.withResolvers<void>();
  const { signal } = new AbortController();
  const one = flights.join('k', work, { signal, listener: () => slow.promise });
  let told = false;
  const telling = Promise.resolve((await control).tell('x')).then(() => {
    told = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(told, false);
  slow.resolve();
  await telling;
  finish(0);
  await one;
});
