import { DescriptorOutput } from './descriptor-output.ts';
import { runProgram } from './program.ts';

const stdout = new DescriptorOutput(1);
const stderr = new DescriptorOutput(2);

const code = await runProgram(process.argv.slice(2), {
  // Made on first use: a standard input that nobody reads stays untouched.
  get stdin() {
    return process.stdin;
  },
  stdout,
  stderr,
  env: process.env,
});
await Promise.all([stdout.flush(), stderr.flush()]);
process.exit(code);
