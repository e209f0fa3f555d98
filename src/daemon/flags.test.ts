import assert from 'node:assert/strict';
import { test } from 'node:test';
import { helpText, parseFlags } from './flags.ts';
import { options } from './options.ts';

test('parseFlags: the forms in which a flag may be written', () => {
  const { given } = parseFlags([
    '-H',
    'unix:///a',
    '-Hunix:///b',
    '-H=unix:///c',
    '--host=unix:///d',
    '--host',
    'unix:///e',
    '--debug',
    '--icc=false',
    '--label',
    'a=b=c',
    '--log-opt',
    'max-size=1m',
    '--mtu=1400',
    '--default-shm-size',
    '1m',
    '--add-runtime',
    'x=/usr/bin/x',
    '--default-ulimit',
    'nofile=1:2',
    '--default-address-pool',
    'base=10.0.0.0/8,size=24',
  ]);
  assert.deepEqual(given, {
    hosts: ['unix:///a', 'unix:///b', 'unix:///c', 'unix:///d', 'unix:///e'],
    debug: true,
    icc: false,
    labels: ['a=b=c'],
    logOpts: { 'max-size': '1m' },
    mtu: 1400,
    defaultShmSize: 1048576,
    runtimes: { x: '/usr/bin/x' },
    defaultUlimits: [{ name: 'nofile', soft: 1, hard: 2 }],
    defaultAddressPools: [{ base: '10.0.0.0/8', size: 24 }],
  });
});

test('parseFlags: letters behind one dash, and what to do instead of running', () => {
  const { given, configFile, action } = parseFlags(['-Dl', 'warn', '--config-file', '/x', '--validate']);
  assert.deepEqual([given, configFile, action], [{ debug: true, logLevel: 'warn' }, '/x', 'validate']);
  assert.equal(parseFlags(['--help']).action, 'help');
  assert.equal(parseFlags(['-v']).action, 'version');
});

test('parseFlags: mistakes are named in one line', () => {
  const wrong: [string[], string][] = [
    [['--bogus'], 'unknown flag: --bogus; see skiffd --help'],
    [['--bridge', 'x'], 'the flag --bridge of dockerd is not supported by Skiff'],
    [['--userland-proxy'], 'invalid argument "true" for --userland-proxy: not supported by Skiff'],
    [['extra'], 'unexpected argument "extra"'],
    [['--'], 'unexpected argument "--"'],
    [['--bip'], 'flag needs an argument: --bip'],
    [['--mtu', 'x'], 'invalid argument "x" for --mtu: "x" is not a whole number'],
    [['--debug=maybe'], 'invalid argument "maybe" for --debug: "maybe" is neither true nor false'],
    [['--label', 'x'], 'invalid argument "x" for --label: bad attribute format: x; a label is key=value'],
    [['--dns', 'x'], 'invalid argument "x" for --dns: invalid IP address: x'],
    [
      ['-l', 'loud'],
      'invalid argument "loud" for -l: invalid logging level: loud; it is one of debug, info, warn, error, fatal',
    ],
  ];
  for (const [argv, message] of wrong) assert.throws(() => parseFlags(argv), { kind: 'invalid', message });
});

test('helpText: has a line for every option', () => {
  const help = helpText();
  for (const { flag } of Object.values(options)) {
    if (flag !== undefined) assert.match(help, new RegExp(`--${flag}\\b`));
  }
  assert.ok(!help.includes('undefined'));
  assert.ok(help.includes('-H, --host list'));
});
