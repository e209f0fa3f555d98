import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notFound } from '#/base/errors.ts';
import type { ConnectRequest, DisconnectRequest } from '#/engine/networks.ts';
import type { Network, NetworkCreateRequest } from '#/wire/networks.ts';
import { serve } from '#tests/api-client.ts';
import { fakeBackend } from '#tests/fake-backend.ts';
import { networkRoutes } from './networks.ts';

const bridge = { Name: 'bridge', Id: 'abc' } as Network;

test('networkRoutes: a create request arrives with every field, in any case', async () => {
  const requests: NetworkCreateRequest[] = [];
  const create = (request: NetworkCreateRequest): { Id: string; Warning: string } => {
    requests.push(request);
    return { Id: 'x', Warning: '' };
  };
  await using server = await serve(networkRoutes, fakeBackend({ networks: { create } }));
  const pool = {
    Subnet: '10.0.0.0/8',
    ipRange: '10.1.0.0/16',
    Gateway: '',
    AuxiliaryAddresses: { a: '10.0.0.9' },
  };
  const body = {
    name: 'n',
    Internal: true,
    IPAM: { Config: [pool] },
    Labels: { a: 'b' },
    CheckDuplicate: true,
  };
  const answer = await server.ask('POST', '/networks/create', { body });
  assert.deepEqual([answer.status, JSON.parse(answer.body)], [201, { Id: 'x', Warning: '' }]);
  assert.deepEqual(requests, [
    {
      Name: 'n',
      Internal: true,
      ConfigFrom: null,
      EnableIPv4: null,
      EnableIPv6: null,
      IPAM: {
        Driver: '',
        Options: null,
        Config: [{ Subnet: '10.0.0.0/8', IPRange: '10.1.0.0/16', AuxiliaryAddresses: { a: '10.0.0.9' } }],
      },
      Options: null,
      Labels: { a: 'b' },
    },
  ]);
});

test('networkRoutes: connect and disconnect pass on who and how', async () => {
  const calls: (ConnectRequest | DisconnectRequest)[] = [];
  const note = async (request: ConnectRequest | DisconnectRequest): Promise<void> => void calls.push(request);
  await using server = await serve(
    networkRoutes,
    fakeBackend({ networks: { connect: note, disconnect: note } }),
  );
  const connect = { Container: 'c', EndpointConfig: { IPAMConfig: { IPv4Address: '10.0.0.9' } } };
  assert.equal((await server.ask('POST', '/networks/n/connect', { body: connect })).status, 200);
  const disconnect = { Container: 'c', Force: true };
  assert.equal((await server.ask('POST', '/networks/n/disconnect', { body: disconnect })).status, 200);
  assert.equal((calls[0] as ConnectRequest).settings?.IPAMConfig?.IPv4Address, '10.0.0.9');
  assert.deepEqual(calls[1], { network: 'n', container: 'c', force: true });
});

test('networkRoutes: a list before API 1.28 shows containers', async () => {
  const networks = { list: () => [bridge], inspect: () => ({ ...bridge, Name: 'with containers' }) };
  await using server = await serve(networkRoutes, fakeBackend({ networks }));
  const names = async (path: string): Promise<string[]> =>
    (JSON.parse((await server.ask('GET', path)).body) as Network[]).map(({ Name }) => Name);
  for (const path of ['/v1.28/networks', '/networks/']) assert.deepEqual(await names(path), ['bridge']);
  assert.deepEqual(await names('/v1.27/networks'), ['with containers']);
});

test('networkRoutes: wrong input has the status and the words of Docker', async () => {
  const inspect = (ref: string): never => {
    throw notFound(`network ${ref} not found`);
  };
  await using server = await serve(networkRoutes, fakeBackend({ networks: { inspect } }));
  const cases = [
    ['GET', '/networks/nope', undefined, 404, 'network nope not found'],
    ['GET', '/networks?filters=bad', undefined, 400, 'invalid filter'],
    [
      'GET',
      '/networks/x?verbose=abc',
      undefined,
      400,
      'invalid value for verbose: abc: strconv.ParseBool: parsing "abc": invalid syntax',
    ],
    [
      'POST',
      '/networks/create',
      { Name: 5 },
      400,
      'invalid JSON: json: cannot unmarshal number into Go struct field .Name of type string',
    ],
  ] as const;
  for (const [method, path, body, status, message] of cases) {
    const answer = await server.ask(method, path, body === undefined ? {} : { body });
    assert.equal(answer.status, status, path);
    assert.equal((JSON.parse(answer.body) as { message: string }).message, message);
  }
});
