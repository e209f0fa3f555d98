import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseFlags } from '../flags/parse.ts';
import { type ContainerFlags, containerFlags } from './flags.ts';
import { createRequest, type FullCreateRequest } from './request.ts';

const here = join(import.meta.dirname, 'testdata');
const original = process.cwd();

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Requests that docker 28.2 sent for these command lines, as changes of the request for `create img`. */
interface Recorded {
  readonly plain: { [key: string]: Json };
  readonly changes: readonly {
    readonly args: readonly string[];
    readonly request: { [key: string]: Json };
  }[];
}

const recorded = JSON.parse(
  readFileSync(join(here, 'create-requests.json'), 'utf8')
    .replaceAll('%HERE%', here)
    .replaceAll('%PARENT%', dirname(here)),
) as Recorded;

/** Docker's order of variables and binds is that of a Go map. */
function sorted(value: Json, name = ''): Json {
  if (Array.isArray(value)) {
    const items = value.map((item) => sorted(item));
    return name === 'Env' || name === 'Binds'
      ? items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
      : items;
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, sorted(item, key)]));
}

function merged(base: { [key: string]: Json }, change: { [key: string]: Json }): Json {
  const result = { ...base };
  for (const [key, value] of Object.entries(change)) {
    const before = base[key];
    const both = ['HostConfig', 'NetworkingConfig'].includes(key) && isObject(before) && isObject(value);
    result[key] = both ? merged(before, value) : value;
  }
  return result;
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function request(args: readonly string[], proxies = {}): FullCreateRequest {
  const parsed = parseFlags(containerFlags, args, { interspersed: false });
  const flags = parsed.values as unknown as ContainerFlags;
  const [image = '', ...command] = parsed.args;
  return createRequest({ flags, given: parsed.given, image, command, proxies, daemon: 'unix:///x' });
}

const asJson = (value: FullCreateRequest): Json => JSON.parse(JSON.stringify(value)) as Json;

before(() => {
  process.chdir(here);
  process.env['HOME_OF_TESTS'] = '/h';
});
after(() => process.chdir(original));

test('createRequest: a plain request is docker’s', () => {
  assert.deepEqual(sorted(asJson(request(['img']))), sorted(recorded.plain));
});

for (const change of recorded.changes) {
  test(`createRequest: ${change.args.join(' ')}`, () => {
    assert.deepEqual(sorted(asJson(request(change.args))), sorted(merged(recorded.plain, change.request)));
  });
}

test('createRequest: proxies of the configuration, unless a variable is set', () => {
  const proxies = {
    default: { httpProxy: 'http://p', noProxy: 'x' },
    'unix:///y': { httpProxy: 'http://q' },
  };
  assert.deepEqual(request(['-e', 'HTTP_PROXY=own', 'img'], proxies).Env, [
    'HTTP_PROXY=own',
    'http_proxy=http://p',
    'NO_PROXY=x',
    'no_proxy=x',
  ]);
});

test('createRequest: refuses what docker refuses, in its words', () => {
  const cases: [string[], string][] = [
    [['--restart', 'always', '--rm', 'img'], 'conflicting options: cannot specify both --restart and --rm'],
    [['--memory-swappiness', '101', 'img'], 'invalid value: 101. Valid memory swappiness range is 0-100'],
    [['--pid', 'container:', 'img'], '--pid: invalid PID mode'],
    [['-p', '1-2:3-5', 'img'], 'invalid ranges specified for container and host Ports: 3-5 and 1-2'],
    [['-v', 'aa:bb:cc:dd', 'img'], 'invalid spec: aa:bb:cc:dd: too many colons'],
    [['--network', 'a', '--network', 'a', 'img'], 'network "a" is specified multiple times'],
    [['--device', '/dev/a:/dev/b:x', 'img'], 'bad mode specified: x'],
  ];
  for (const [args, message] of cases) assert.throws(() => request(args), { message });
});
