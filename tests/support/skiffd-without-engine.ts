import type { Backend } from '#/api/backend.ts';
import { run } from '#/daemon/run.ts';
import { fakeBackend } from './fake-backend.ts';

// skiffd as it is, but for what is below the API: `/info` only shows what a reload changes.
process.exitCode = await run(
  process.argv.slice(2),
  { out: (text) => process.stdout.write(text), err: (text) => process.stderr.write(text) },
  {
    build: ({ settings }) => {
      const info = (): Promise<unknown> => {
        const { labels, debug } = settings();
        return Promise.resolve({ labels, debug });
      };
      return Promise.resolve({
        backend: fakeBackend({ system: { info: info as Backend['system']['info'] } }),
        reloaded: () => {},
        [Symbol.asyncDispose]: () => Promise.resolve(),
      });
    },
    tearDown: () => Promise.resolve(),
  },
);
