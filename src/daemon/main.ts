import { buildEngine } from './engine.ts';
import { run } from './run.ts';
import { tearDown } from './teardown.ts';

// The log goes through the same stream as complaints; both are written at once, so nothing is lost at the end.
const code = await run(
  process.argv.slice(2),
  {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
  },
  { build: buildEngine, tearDown },
);
process.exit(code);
