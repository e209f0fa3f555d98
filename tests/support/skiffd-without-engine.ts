import type { Backend } from '#/api/backend.ts';
import { run } from '#/daemon/run.ts';
import { fakeBackend } from './fake-backend.ts';

/** Waits for ever, and says when it has begun to. */
function never(begun: () => void): Promise<void> {
  setTimeout(begun);
  return new Promise(() => setInterval(() => {}, 1000));
}

// skiffd as it is, but for what is below the API: `/info` only shows what a reload changes,
// and with the label start=never it does not get ready.
const code = await run(
  process.argv.slice(2),
  { out: (text) => process.stdout.write(text), err: (text) => process.stderr.write(text) },
  {
    build: async ({ config, log, settings }) => {
      if (config.labels.includes('start=never')) await never(() => log.info('starting'));
      const info = (): Promise<unknown> => {
        const { labels, debug } = settings();
        return Promise.resolve({ labels, debug });
      };
      return {
        backend: fakeBackend({ system: { info: info as Backend['system']['info'] } }),
        reloaded: () => {},
        [Symbol.asyncDispose]: () => Promise.resolve(),
      };
    },
    tearDown: () => Promise.resolve(),
  },
);
process.exit(code);
