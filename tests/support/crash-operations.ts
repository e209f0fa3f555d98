import type { Random } from './random.ts';

/** What a container is like. `gone`: there is none. */
export interface Condition {
  readonly status: 'created' | 'running' | 'paused' | 'exited' | 'gone';
  /** When exited. */
  readonly exitCode: number;
}

/** What runs in a container: something that goes on, or that ends at once with a code, perhaps to be removed then. */
export interface Program {
  readonly cmd: readonly string[];
  readonly endsWith: number | undefined;
  readonly autoRemove: boolean;
}

/** A container as its client knows it. */
export interface Known {
  readonly id: string;
  readonly name: string;
  readonly program: Program;
  readonly condition: Condition;
}

/** A request about a container that exists. */
export interface Operation {
  readonly what: string;
  readonly method: 'POST' | 'DELETE';
  readonly path: string;
  /** What the container is like when it has been done. */
  readonly after: Condition;
  /** What else it can be like when the daemon died at it. */
  readonly between?: readonly Condition[];
  readonly newName?: string;
}

const killed: Condition = { status: 'exited', exitCode: 137 };
const gone: Condition = { status: 'gone', exitCode: 0 };
const running: Condition = { status: 'running', exitCode: 0 };

/** A program of any sort. */
export function randomProgram(random: Random): Program {
  const endsWith = random.below(2) === 0 ? undefined : random.below(256);
  if (endsWith === undefined) return { cmd: ['sleep', '1000'], endsWith, autoRemove: false };
  return { cmd: ['sh', '-c', `exit ${endsWith}`], endsWith, autoRemove: random.below(3) === 0 };
}

/** Something that can be done with a container like this one. */
export function randomOperation(random: Random, known: Known): Operation {
  return random.pick(operationsOn(known, `renamed-${known.id.slice(0, 8)}-${random.below(1e9)}`));
}

function operationsOn({ id, program, condition }: Known, newName: string): Operation[] {
  const post = (action: string, after: Condition, between: readonly Condition[] = []): Operation => ({
    what: action,
    method: 'POST',
    path: `/containers/${id}/${action}`,
    after,
    between,
  });
  const remove: Operation = {
    what: 'rm -f',
    method: 'DELETE',
    path: `/containers/${id}?force=1&v=1`,
    after: gone,
    between: [killed],
  };
  const rename: Operation = { ...post(`rename?name=${newName}`, condition), newName };
  const started = startedCondition(program);
  switch (condition.status) {
    case 'created':
    case 'exited':
      return [post('start', started), post('start', started), rename, remove];
    case 'running':
      return [
        post('stop?t=0', killed),
        post('kill', killed),
        post('pause', { status: 'paused', exitCode: 0 }),
        post('restart?t=0', running, [killed]),
        rename,
        remove,
      ];
    case 'paused':
      return [
        post('unpause', running),
        post('unpause', running),
        post('stop?t=0', killed, [running]),
        remove,
      ];
    case 'gone':
      return [];
    default:
      return condition.status satisfies never;
  }
}

function startedCondition({ endsWith, autoRemove }: Program): Condition {
  if (endsWith === undefined) return running;
  return autoRemove ? gone : { status: 'exited', exitCode: endsWith };
}
