import type { ContainerWaitResponse } from '#/wire/containers.ts';
import { ExitError } from './command.ts';

/** The exit code of a container; throws if the daemon could not wait for it. */
export function exitCodeOf({ StatusCode, Error: failure }: ContainerWaitResponse): number {
  if (failure !== undefined && failure !== null)
    throw new ExitError(125, `Error waiting for container: ${failure.Message}`);
  return StatusCode;
}
