import { humanDuration } from '#/base/units.ts';
import { type ContainerState, isAlive, lastRun } from '#/engine/containers/model.ts';
import {
  type ContainerStatus,
  type Health,
  type ContainerState as WireState,
  zeroTime,
} from '#/wire/container-inspect.ts';

/** Docker's word for a state. */
export function statusOf(state: ContainerState): ContainerStatus {
  return state.kind === 'creating' ? 'created' : state.kind;
}

/** Docker's booleans for a state. */
export function presentState(state: ContainerState, health: Health | undefined): WireState {
  const last = lastRun(state);
  const failed = state.kind === 'created' ? state : undefined;
  const running = isAlive(state) || state.kind === 'restarting';
  return {
    Status: statusOf(state),
    Running: running,
    Paused: state.kind === 'paused',
    Restarting: state.kind === 'restarting',
    OOMKilled: last?.oomKilled ?? false,
    Dead: state.kind === 'dead',
    Pid: isAlive(state) ? state.init.pid : 0,
    ExitCode: last?.exitCode ?? failed?.exitCode ?? 0,
    Error: state.kind === 'dead' ? state.error : (last?.error ?? failed?.error ?? ''),
    StartedAt: isAlive(state) ? state.startedAt : (last?.startedAt ?? zeroTime),
    FinishedAt: last?.finishedAt ?? zeroTime,
    ...(health === undefined ? {} : { Health: health }),
  };
}

/** The status column of `docker ps`: "Up 2 hours (healthy)". `now` is milliseconds since 1970. */
export function statusText(state: ContainerState, health: Health | undefined, now: number): string {
  const since = (time: string): string => humanDuration(now - Date.parse(time));
  switch (state.kind) {
    case 'creating':
    case 'created':
      return 'Created';
    case 'running':
      return `Up ${since(state.startedAt)}${healthSuffix(health)}`;
    case 'paused':
      return `Up ${since(state.startedAt)} (Paused)`;
    case 'restarting':
      return `Restarting (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case 'exited':
      return `Exited (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case 'removing':
      return 'Removal In Progress';
    case 'dead':
      return 'Dead';
    default:
      return state satisfies never;
  }
}

function healthSuffix(health: Health | undefined): string {
  if (health === undefined || health.Status === 'none' || health.Status === '') return '';
  return health.Status === 'starting' ? ' (health: starting)' : ` (${health.Status})`;
}
