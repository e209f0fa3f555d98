import { invalid } from '#/base/errors.ts';
import type {
  EndpointSettings,
  Ipam,
  IpamPool,
  NetworkConnectRequest,
  NetworkCreateRequest,
  NetworkDisconnectRequest,
} from '#/wire/networks.ts';
import { compareVersions } from '#/wire/version.ts';
import type { Call, Route } from '../call.ts';
import {
  boolean,
  type Decoder,
  list,
  nullable,
  omitEmpty,
  optional,
  string,
  stringMap,
  struct,
} from '../decode/json.ts';
import { endpointSettings } from '../decode/networks.ts';
import { readJson } from '../input.ts';
import { empty, json } from '../respond.ts';

const ipamPool: Decoder<IpamPool> = struct('network.IPAMConfig', {
  Subnet: omitEmpty(string),
  IPRange: omitEmpty(string),
  Gateway: omitEmpty(string),
  AuxiliaryAddresses: omitEmpty(stringMap),
});

const ipam: Decoder<Ipam> = struct('network.IPAM', {
  Driver: string,
  Options: stringMap,
  Config: list(ipamPool, '[]network.IPAMConfig'),
});

const createBody: Decoder<NetworkCreateRequest> = struct('CreateRequest', {
  Name: string,
  Driver: optional(string),
  Scope: optional(string),
  Internal: optional(boolean),
  Attachable: optional(boolean),
  Ingress: optional(boolean),
  ConfigOnly: optional(boolean),
  ConfigFrom: nullable(struct('network.ConfigReference', { Network: string })),
  IPAM: nullable(ipam),
  EnableIPv4: nullable(boolean),
  EnableIPv6: nullable(boolean),
  Options: stringMap,
  Labels: stringMap,
});

interface ConnectBody extends NetworkConnectRequest {
  readonly EndpointConfig: EndpointSettings | null;
}

const connectBody: Decoder<ConnectBody> = struct('network.ConnectOptions', {
  Container: string,
  EndpointConfig: nullable(endpointSettings),
});

const disconnectBody: Decoder<NetworkDisconnectRequest> = struct('network.DisconnectOptions', {
  Container: string,
  Force: optional(boolean),
});

async function listNetworks(call: Call): Promise<void> {
  const networks = call.engine.networks.list(call.query.filters());
  if (compareVersions(call.version, '1.28') >= 0) return json(call, networks);
  // Before 1.28 a list showed the containers as well.
  json(
    call,
    networks.map(({ Id }) => call.engine.networks.inspect(Id)),
  );
}

async function inspectNetwork(call: Call): Promise<void> {
  const verbose = call.query.text('verbose');
  // `verbose` is about swarm services: only its form matters.
  if (verbose !== '' && !/^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/.test(verbose)) {
    const reason = `strconv.ParseBool: parsing ${JSON.stringify(verbose)}: invalid syntax`;
    throw invalid(`invalid value for verbose: ${verbose}: ${reason}`);
  }
  json(call, call.engine.networks.inspect(call.id, { scope: call.query.text('scope') }));
}

async function createNetwork(call: Call): Promise<void> {
  const request = await readJson(call, createBody, { required: true });
  json(call, call.engine.networks.create(request), 201);
}

async function removeNetwork(call: Call): Promise<void> {
  call.engine.networks.remove(call.id);
  empty(call);
}

async function connectNetwork(call: Call): Promise<void> {
  const body = await readJson(call, connectBody, { required: true });
  const { Container: container, EndpointConfig: settings } = body;
  await call.engine.networks.connect({ network: call.id, container, settings });
  empty(call, 200);
}

async function disconnectNetwork(call: Call): Promise<void> {
  const { Container: container, Force: force = false } = await readJson(call, disconnectBody, {
    required: true,
  });
  await call.engine.networks.disconnect({ network: call.id, container, force });
  empty(call, 200);
}

async function pruneNetworks(call: Call): Promise<void> {
  json(call, call.engine.networks.prune(call.query.filters()));
}

/** `/networks`. */
export const networkRoutes: readonly Route[] = [
  ['GET', '/networks', listNetworks],
  ['GET', '/networks/', listNetworks],
  ['POST', '/networks/create', createNetwork],
  ['POST', '/networks/prune', pruneNetworks],
  ['GET', '/networks/:id', inspectNetwork],
  ['DELETE', '/networks/:id', removeNetwork],
  ['POST', '/networks/:id/connect', connectNetwork],
  ['POST', '/networks/:id/disconnect', disconnectNetwork],
];
