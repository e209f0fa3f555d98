import { invalid } from '#/base/errors.ts';
import type { StopOptions } from '#/engine/containers/stop.ts';
import type {
  ContainerCreateResponse,
  ContainersPruneResponse,
  ContainerUpdateResponse,
} from '#/wire/containers.ts';
import { compareVersions } from '#/wire/version.ts';
import type { Call, Route } from '../call.ts';
import { createAsOf, updateAsOf } from '../compat.ts';
import { createBody, updateBody } from '../decode/containers.ts';
import { readJson } from '../input.ts';
import { presentInspect, presentSummary } from '../present/containers.ts';
import { empty, json } from '../respond.ts';

/** A body that says nothing: `{}` or `null` with a line end. */
const emptyBodyLength = 7;

async function listContainers(call: Call): Promise<void> {
  const { query, engine, version } = call;
  const views = await engine.containers.list({
    all: query.bool('all'),
    limit: query.int('limit') ?? 0,
    filters: query.filters(),
    size: query.bool('size'),
  });
  const now = Date.now();
  json(
    call,
    views.map((view) => presentSummary(view, { now, version })),
  );
}

async function createContainer(call: Call): Promise<void> {
  const { query, engine, version } = call;
  const body = createAsOf(version, await readJson(call, createBody, { required: true }));
  const name = query.text('name');
  const platform = query.text('platform');
  const { id, warnings } = await engine.containers.create({
    ...body,
    name: name === '' ? undefined : name,
    platform: platform === '' ? undefined : platform,
  });
  json(call, { Id: id, Warnings: warnings } satisfies ContainerCreateResponse, 201);
}

async function inspectContainer(call: Call): Promise<void> {
  const view = await call.engine.containers.view(call.id, { size: call.query.bool('size') });
  json(call, presentInspect(view));
}

async function startContainer(call: Call): Promise<void> {
  if (Number(call.request.headers['content-length'] ?? 0) > emptyBodyLength) {
    throw invalid(
      'starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24',
    );
  }
  if (call.query.text('checkpoint') !== '')
    throw invalid('checkpoint is only supported in experimental mode');
  await call.engine.containers.start(call.id);
  empty(call);
}

async function stopContainer(call: Call): Promise<void> {
  await call.engine.containers.stop(call.id, stopOptions(call));
  empty(call);
}

async function restartContainer(call: Call): Promise<void> {
  await call.engine.containers.restart(call.id, stopOptions(call));
  empty(call);
}

function stopOptions({ query, version }: Call): StopOptions {
  const signal = compareVersions(version, '1.42') < 0 ? '' : query.text('signal');
  return { signal: signal === '' ? undefined : signal, timeout: query.int('t') };
}

async function killContainer(call: Call): Promise<void> {
  const signal = call.query.text('signal');
  await call.engine.containers.kill(call.id, signal === '' ? 'KILL' : signal);
  empty(call);
}

async function pauseContainer(call: Call): Promise<void> {
  await call.engine.containers.pause(call.id);
  empty(call);
}

async function unpauseContainer(call: Call): Promise<void> {
  await call.engine.containers.unpause(call.id);
  empty(call);
}

async function renameContainer(call: Call): Promise<void> {
  await call.engine.containers.rename(call.id, call.query.text('name'));
  empty(call);
}

async function updateContainer(call: Call): Promise<void> {
  const changes = updateAsOf(call.version, await readJson(call, updateBody));
  const warnings = await call.engine.containers.update(call.id, changes);
  json(call, {
    Warnings: warnings.length === 0 ? null : warnings,
  } satisfies ContainerUpdateResponse);
}

async function removeContainer(call: Call): Promise<void> {
  const { query } = call;
  if (query.bool('link')) throw invalid('removing links is not supported; disconnect the network instead');
  await call.engine.containers.remove(call.id, { force: query.bool('force'), volumes: query.bool('v') });
  empty(call);
}

async function pruneContainers(call: Call): Promise<void> {
  const { deleted, reclaimed } = await call.engine.containers.prune(call.query.filters());
  json(call, {
    ContainersDeleted: deleted.length === 0 ? null : deleted,
    SpaceReclaimed: reclaimed,
  } satisfies ContainersPruneResponse);
}

async function topContainer(call: Call): Promise<void> {
  json(call, await call.engine.containers.top(call.id, call.query.text('ps_args')));
}

async function containerChanges(call: Call): Promise<void> {
  const changes = await call.engine.containers.changes(call.id);
  json(call, changes.length === 0 ? null : changes);
}

/** Everything about containers that is one question and one answer; container-streams.ts has the rest. */
export const containerRoutes: readonly Route[] = [
  ['GET', '/containers/json', listContainers],
  ['POST', '/containers/create', createContainer],
  ['POST', '/containers/prune', pruneContainers],
  ['GET', '/containers/:id/json', inspectContainer],
  ['GET', '/containers/:id/top', topContainer],
  ['GET', '/containers/:id/changes', containerChanges],
  ['POST', '/containers/:id/start', startContainer],
  ['POST', '/containers/:id/stop', stopContainer],
  ['POST', '/containers/:id/restart', restartContainer],
  ['POST', '/containers/:id/kill', killContainer],
  ['POST', '/containers/:id/pause', pauseContainer],
  ['POST', '/containers/:id/unpause', unpauseContainer],
  ['POST', '/containers/:id/rename', renameContainer],
  ['POST', '/containers/:id/update', updateContainer],
  ['DELETE', '/containers/:id', removeContainer],
];
