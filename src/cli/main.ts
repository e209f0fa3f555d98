import { runProgram } from './program.ts';

/** Exit code of a program that SIGPIPE ended. */
const brokenPipe = 141;

for (const stream of ['stdout', 'stderr'] as const) {
  process[stream].on('error', (error: NodeJS.ErrnoException) => {
    // The reader has gone away, as in `skiff ps | head -1`.
    if (error.code === 'EPIPE') process.exit(brokenPipe);
    throw error;
  });
}

const code = await runProgram(process.argv.slice(2), {
  // Made on first use: a standard input that nobody reads stays untouched.
  get stdin() {
    return process.stdin;
  },
  get stdout() {
    return process.stdout;
  },
  get stderr() {
    return process.stderr;
  },
  env: process.env,
});
await Promise.all(
  [process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write('', resolve))),
);
process.exit(code);
