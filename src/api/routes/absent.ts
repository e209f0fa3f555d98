import { notFound, unavailable } from '#/base/errors.ts';
import type { Call, Route } from '../call.ts';
import { json } from '../respond.ts';

/** Docker's answer outside of a swarm, which clients take as: there is no such thing here. */
const noManager =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

async function refuseSwarm(): Promise<void> {
  throw unavailable(noManager);
}

async function listPlugins(call: Call): Promise<void> {
  json(call, []);
}

async function noPlugin(call: Call): Promise<void> {
  throw notFound(`plugin "${call.id}" not found`);
}

const kinds: readonly string[] = ['nodes', 'services', 'tasks', 'secrets', 'configs'];

/**
 * What truthfully has nothing to show: there are no plugins, and this is no swarm. Clients ask when they look for a thing
 * of an unknown kind (`docker inspect NAME`). What would make one is answered with "not implemented".
 */
export const absentRoutes: readonly Route[] = [
  ['GET', '/plugins', listPlugins],
  ['GET', '/plugins/:name/json', noPlugin],
  ['GET', '/swarm', refuseSwarm],
  ...kinds.flatMap((kind): Route[] => [
    ['GET', `/${kind}`, refuseSwarm],
    ['GET', `/${kind}/:id`, refuseSwarm],
    ['DELETE', `/${kind}/:id`, refuseSwarm],
  ]),
];
