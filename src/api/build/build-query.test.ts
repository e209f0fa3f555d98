import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EngineError } from '#/base/errors.ts';
import { Query } from '../query.ts';
import { type BuildQuery, readBuildQuery } from './build-query.ts';

function read(params: Readonly<Record<string, string | readonly string[]>>, version = '1.51'): BuildQuery {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const item of typeof value === 'string' ? [value] : value) search.append(name, item);
  }
  return readBuildQuery({ query: new Query(search.toString()), version });
}

test('readBuildQuery: nothing is the default of everything', () => {
  assert.deepEqual(read({}), {
    version: 1,
    dockerfile: 'Dockerfile',
    remote: '',
    names: [],
    quiet: false,
    noCache: false,
    pull: false,
    removeContainers: true,
    args: new Map(),
    labels: new Map(),
    target: undefined,
    platform: undefined,
    squash: false,
    cacheFrom: [],
    run: {
      network: { kind: 'default' },
      extraHosts: [],
      ulimits: [],
      shmSize: undefined,
      cgroupParent: undefined,
      resources: {
        memory: undefined,
        memorySwap: undefined,
        cpuShares: undefined,
        cpuPeriod: undefined,
        cpuQuota: undefined,
        cpusetCpus: undefined,
        cpusetMems: undefined,
      },
    },
    session: '',
    id: '',
  });
});

test('readBuildQuery: every parameter', () => {
  const query = read({
    version: '1',
    dockerfile: 'sub/Dockerfile',
    remote: 'https://git.example/x.git',
    t: ['x', 'reg.example/y:1', 'x:latest', ''],
    q: '1',
    nocache: 'true',
    pull: '1',
    rm: '0',
    buildargs: '{"A":"1","B":null}',
    labels: '{"l":"v"}',
    target: 'stage',
    platform: 'linux/arm64/v8',
    squash: '1',
    cachefrom: '["a","b:1"]',
    networkmode: 'mine',
    extrahosts: ['a:1.2.3.4', 'b:::1', 'c:[::2]', 'd=host-gateway'],
    ulimits: '[{"Name":"nofile","Soft":1,"Hard":2}]',
    shmsize: '1024',
    cgroupparent: '/parent',
    memory: '100000000',
    memswap: '-1',
    cpushares: '2',
    cpuperiod: '3000',
    cpuquota: '4000',
    cpusetcpus: '0',
    cpusetmems: '0',
    isolation: 'default',
    session: 's',
    buildid: 'i',
  });
  const { names, args, run, platform, ...rest } = query;
  assert.deepEqual(
    names.map(({ domain, path, tag }) => `${domain}/${path}:${tag}`),
    ['docker.io/library/x:latest', 'reg.example/y:1'],
  );
  assert.deepEqual([...args], [['A', '1']]);
  assert.deepEqual([platform?.os, platform?.architecture], ['linux', 'arm64']);
  assert.deepEqual(run, {
    network: { kind: 'named', name: 'mine' },
    extraHosts: [
      { name: 'a', address: '1.2.3.4' },
      { name: 'b', address: '::1' },
      { name: 'c', address: '::2' },
      { name: 'd', address: 'host-gateway' },
    ],
    ulimits: [{ name: 'nofile', soft: 1, hard: 2 }],
    shmSize: 1024,
    cgroupParent: '/parent',
    resources: {
      memory: 100_000_000,
      memorySwap: -1,
      cpuShares: 2,
      cpuPeriod: 3000,
      cpuQuota: 4000,
      cpusetCpus: '0',
      cpusetMems: '0',
    },
  });
  assert.deepEqual(rest, {
    version: 1,
    dockerfile: 'sub/Dockerfile',
    remote: 'https://git.example/x.git',
    quiet: true,
    noCache: true,
    pull: true,
    removeContainers: false,
    labels: new Map([['l', 'v']]),
    target: 'stage',
    squash: true,
    cacheFrom: [
      { type: 'registry', attributes: new Map([['ref', 'a']]) },
      { type: 'registry', attributes: new Map([['ref', 'b:1']]) },
    ],
    session: 's',
    id: 'i',
  });
  assert.equal(read({ rm: '0', forcerm: '1' }).removeContainers, true);
  assert.equal(read({ platform: 'linux/arm64' }, '1.31').platform, undefined);
  assert.deepEqual(
    ['', 'default', 'bridge', 'none', 'host'].map((networkmode) => read({ networkmode }).run.network.kind),
    ['default', 'default', 'default', 'none', 'host'],
  );
});

test('readBuildQuery: what Docker refuses, in its words', () => {
  const cases: [Readonly<Record<string, string>>, string | RegExp][] = [
    [{ version: '3' }, 'invalid version "3"'],
    [{ isolation: 'hyperv' }, 'unsupported isolation: "hyperv"'],
    [{ securityopt: '' }, 'security options are not supported on linux'],
    [{ securityopt: '["seccomp=unconfined"]' }, 'security options are not supported on linux'],
    [{ t: 'BAD' }, 'invalid reference format: repository name (library/BAD) must be lowercase'],
    [{ t: `a@sha256:${'0'.repeat(64)}` }, 'build tag cannot contain a digest'],
    [{ buildargs: 'x' }, "error reading build args: invalid character 'x' looking for beginning of value"],
    [
      { buildargs: '[]' },
      'error reading build args: json: cannot unmarshal array into Go value of type map[string]*string',
    ],
    [
      { buildargs: '{"V":1}' },
      'error reading build args: json: cannot unmarshal number into Go struct field .V of type string',
    ],
    [
      { labels: '{"a":1}' },
      'error reading labels: json: cannot unmarshal number into Go struct field .a of type string',
    ],
    [
      { cachefrom: '{}' },
      'error reading cache-from: json: cannot unmarshal object into Go value of type []string',
    ],
    [
      { ulimits: '{}' },
      'error reading ulimit settings: json: cannot unmarshal object into Go value of type []*units.Ulimit',
    ],
    [{ shmsize: 'x' }, 'strconv.Atoi: parsing "x": invalid syntax'],
    [{ platform: 'a/b/c/d' }, '"a/b/c/d": cannot parse platform specifier: invalid argument'],
    [{ extrahosts: 'a' }, 'bad format for add-host: "a"'],
    [{ extrahosts: 'a:b' }, 'invalid IP address in add-host: "b"'],
    [{ extrahosts: 'a:' }, 'invalid IP address in add-host: ""'],
    [{ memory: '1' }, 'Minimum memory limit allowed is 6MB'],
    [{ memswap: '1' }, 'You should always set the Memory limit when using Memoryswap limit, see usage'],
    [{ cpushares: '-1' }, 'invalid CPU shares (-1): value must be a positive integer'],
    [{ cpuquota: '1' }, 'CPU cfs quota can not be less than 1ms (i.e. 1000)'],
    [
      { cpuperiod: '1' },
      'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)',
    ],
    [{ cpusetcpus: 'x' }, 'Invalid value x for cpuset cpus: invalid format: x'],
    [{ cpusetmems: '9' }, 'Requested memory nodes are not available - requested 9, available: 0'],
    [{ shmsize: '-1' }, 'SHM size can not be less than 0'],
  ];
  for (const [params, message] of cases) {
    assert.throws(() => read(params), { kind: 'invalid', message }, JSON.stringify(params));
  }
  assert.throws(() => read({ networkmode: 'container:' }), { kind: 'invalid' });
  assert.deepEqual(read({ networkmode: 'container:x' }).run.network, { kind: 'container', container: 'x' });
  // Docker does not look at these.
  assert.equal(read({ memory: 'x' }).run.resources.memory, undefined);
});

test('readBuildQuery: anything is read or is an error that can be told', () => {
  const names =
    'version t buildargs labels cachefrom ulimits shmsize memory platform extrahosts networkmode'.split(' ');
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.oneof(fc.string(), fc.json()), (name, value) => {
      try {
        read({ [name]: value });
      } catch (error) {
        assert.ok(error instanceof EngineError, String(error));
      }
    }),
  );
});
