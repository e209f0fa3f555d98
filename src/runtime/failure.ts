import { EngineError } from '#/base/errors.ts';

/** What the shell and Docker call these: found but not executable, not found, anything else. */
const notExecutable = 126;
const commandNotFound = 127;
const unknownFailure = 128;

/** A process that could not be started. `exitCode` is what Docker reports in its place. */
export class StartError extends EngineError {
  readonly exitCode: number;

  constructor(kind: 'invalid' | 'internal', message: string, exitCode: number) {
    super(kind, message);
    this.name = 'StartError';
    this.exitCode = exitCode;
  }
}

/** What was attempted: `create` a container, `exec` in one. */
export type Attempt = 'create' | 'exec';

const prefixes: Readonly<Record<Attempt, string>> = {
  create: 'failed to create task for container: OCI runtime create failed: unable to start container process',
  exec: 'OCI runtime exec failed: exec failed: unable to start container process',
};

/** Turns what the runtime wrote to stderr into the words that Docker's clients look for, and into their exit codes. */
export function startError(attempt: Attempt, output: string, command: string): StartError {
  const text = lastMessage(output);
  const fail = (kind: 'invalid' | 'internal', detail: string, exitCode: number): StartError =>
    new StartError(kind, `${prefixes[attempt]}: ${detail}`, exitCode);
  const name = JSON.stringify(command);
  if (/executable file .* not found in \$PATH/.test(text)) {
    const detail = command.includes('/')
      ? `exec: ${name}: stat ${command}: no such file or directory`
      : `exec: ${name}: executable file not found in $PATH`;
    return fail('invalid', detail, commandNotFound);
  }
  // crun finds the file but nothing that may be executed: a directory, or a file without the x bit.
  if (text.startsWith('open executable: '))
    return fail('invalid', `exec: ${name}: permission denied`, notExecutable);
  const cwd = /^chdir [`'](.*)['`]: (.*)$/.exec(text);
  if (cwd !== null) {
    const detail = `chdir to cwd (${JSON.stringify(cwd[1])}) set in config.json failed: ${cwd[2]?.toLowerCase()}`;
    return fail('invalid', detail, /permission denied/i.test(text) ? notExecutable : commandNotFound);
  }
  if (/permission denied/i.test(text)) return fail('invalid', text, notExecutable);
  if (/no such file or directory|not a directory/i.test(text)) return fail('invalid', text, commandNotFound);
  return fail('internal', text === '' ? 'the runtime gave no reason' : text, unknownFailure);
}

/** The last line that is an error: warnings may come before it, each with a time in some configurations. */
function lastMessage(output: string): string {
  const lines = output
    .split('\n')
    .map((line) => line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z: /, '').trim())
    .filter((line) => line !== '');
  return lines.at(-1) ?? '';
}
