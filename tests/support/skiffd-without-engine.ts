import type { Call, Route } from '#/api/call.ts';
import { json } from '#/api/respond.ts';
import { run } from '#/daemon/run.ts';
import { fakeBackend } from './fake-backend.ts';

// skiffd as it is, but for what is below the API: `/settings` shows what a reload changes.
process.exitCode = await run(
  process.argv.slice(2),
  { out: (text) => process.stdout.write(text), err: (text) => process.stderr.write(text) },
  {
    build: ({ settings }) => {
      const show = (call: Call): Promise<void> => {
        const { labels, debug } = settings();
        json(call, { labels, debug });
        return Promise.resolve();
      };
      const routes: readonly Route[] = [['GET', '/settings', show]];
      return Promise.resolve({
        backend: fakeBackend({}),
        routes,
        reloaded: () => {},
        [Symbol.asyncDispose]: () => Promise.resolve(),
      });
    },
    tearDown: () => Promise.resolve(),
  },
);
