import { notImplemented } from '#/base/errors.ts';
import type { Handler, Route } from '../call.ts';

/** What API 1.51 has and Skiff does not: a feature's name and its requests. docs/SCOPE.md says what is planned. */
const missing: readonly (readonly [feature: string, ...requests: string[]])[] = [
  ['Committing containers', 'POST /commit'],
  [
    'Copying files',
    'HEAD /containers/:id/archive',
    'GET /containers/:id/archive',
    'PUT /containers/:id/archive',
  ],
  ['Exporting containers', 'GET /containers/:id/export'],
  [
    'Checkpoints',
    'GET /containers/:id/checkpoints',
    'POST /containers/:id/checkpoints',
    'DELETE /containers/:id/checkpoints',
  ],
  [
    'Plugins',
    'GET /plugins/privileges',
    'POST /plugins/pull',
    'POST /plugins/create',
    'DELETE /plugins/:name',
    'POST /plugins/:name/enable',
    'POST /plugins/:name/disable',
    'POST /plugins/:name/upgrade',
    'POST /plugins/:name/push',
    'POST /plugins/:name/set',
  ],
  [
    'Swarm mode',
    'POST /swarm/init',
    'POST /swarm/join',
    'POST /swarm/leave',
    'POST /swarm/update',
    'GET /swarm/unlockkey',
    'POST /swarm/unlock',
    'POST /nodes/:id/update',
    'POST /services/create',
    'POST /services/:id/update',
    'GET /services/:id/logs',
    'GET /tasks/:id/logs',
    'POST /secrets/create',
    'POST /secrets/:id/update',
    'POST /configs/create',
    'POST /configs/:id/update',
  ],
];

function refuse(feature: string): Handler {
  return () => Promise.reject(notImplemented(`${feature} is not implemented`));
}

/** Answers with 501 what would otherwise look like a misspelt path. Routes that come before these win. */
export const unimplementedRoutes: readonly Route[] = missing.flatMap(([feature, ...requests]) =>
  requests.map((request): Route => {
    const [method = '', path = ''] = request.split(' ');
    return [method, path, refuse(feature)];
  }),
);
