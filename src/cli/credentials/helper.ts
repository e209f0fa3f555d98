import { spawn } from 'node:child_process';
import { isSystemError, messageOf } from '#/base/errors.ts';

/** The environment of a helper program; it is found in this one's PATH. */
export type HelperEnv = Readonly<Record<string, string | undefined>>;

/**
 * Runs a credential helper: an action as argument, `input` on its standard input. Gives what it wrote on standard
 * output and, if it could not be run or did not exit with 0, why. Its standard error is ours.
 */
export async function runHelper(
  program: string,
  action: string,
  { input, env }: { input: string; env: HelperEnv },
): Promise<{ readonly output: string; readonly failure: string | undefined }> {
  const child = spawn(program, [action], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  // A helper need not read what it does not use, and one that cannot be started has nothing to say.
  child.stdin.on('error', () => undefined);
  child.stdout.on('error', () => undefined);
  child.stdin.end(input);
  const failure = await new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(reason(program, error)));
    child.once('close', (code, signal) => {
      resolve(code === 0 ? undefined : code === null ? `signal: ${signal}` : `exit status ${code}`);
    });
  });
  return { output: Buffer.concat(chunks).toString(), failure };
}

function reason(program: string, error: Error): string {
  if (!isSystemError(error, 'ENOENT')) return messageOf(error);
  return `exec: ${JSON.stringify(program)}: executable file not found in $PATH`;
}
