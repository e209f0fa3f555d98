import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePlatform } from '#/oci/platform.ts';
import { globalArgs, platformArgs } from './global-args.ts';
import { type Dockerfile, parseDockerfile } from './parse.ts';

const host = parsePlatform('linux/amd64');

function parse(text: string): Dockerfile {
  return parseDockerfile(Buffer.from(text));
}

test('platformArgs: what is built for what, and the stage that is the target', () => {
  const file = parse('FROM a AS b\nFROM c AS Last\n');
  const args = platformArgs(file, { platform: parsePlatform('linux/arm/v7'), host });
  assert.deepEqual(Object.fromEntries(args), {
    BUILDPLATFORM: 'linux/amd64',
    BUILDOS: 'linux',
    BUILDOSVERSION: '',
    BUILDARCH: 'amd64',
    BUILDVARIANT: '',
    TARGETPLATFORM: 'linux/arm/v7',
    TARGETOS: 'linux',
    TARGETOSVERSION: '',
    TARGETARCH: 'arm',
    TARGETVARIANT: 'v7',
    TARGETSTAGE: 'last',
  });
  assert.equal(platformArgs(file, { platform: host, host, stage: 'b' }).get('TARGETSTAGE'), 'b');
  assert.equal(platformArgs(parse('FROM a\n'), { platform: host, host }).get('TARGETSTAGE'), 'default');
});

test('globalArgs: defaults see what is before them, build arguments count more', () => {
  const file = parse('ARG A=1 B=$A-$P\nARG C D=${B}\nFROM a\n');
  const given = new Map([
    ['A', '2'],
    ['P', 'q'],
    ['OTHER', 'x'],
  ]);
  assert.deepEqual(Object.fromEntries(globalArgs(file, new Map([['P', 'p']]), given)), {
    P: 'q',
    A: '2',
    B: '2-q',
    D: '2-q',
  });
});

test('globalArgs: an error has the place of its ARG; a default that does not count is none', () => {
  const file = parse('ARG A=1\nARG B=${X?no}\nFROM a\n');
  assert.throws(() => globalArgs(file, new Map(), new Map()), {
    name: 'DockerfileError',
    message: 'failed to process "${X?no}": X: no',
    range: { start: { line: 2, column: 1 }, end: { line: 2, column: 14 } },
  });
  assert.equal(globalArgs(file, new Map(), new Map([['B', 'b']])).get('B'), 'b');
});
