import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { mkfifo } from '#/kernel/files.ts';
import { type ScratchDir, scratchDir } from '#tests/scratch-dir.ts';
import { readApkInstalled, readDpkgStatus, readPythonMetadata } from './control-file.ts';
import { readGoProgram } from './go-build-info.ts';
import { readPackageLock } from './npm.ts';
import { type Inventory, scanRoot } from './scan.ts';

const { signal } = new AbortController();

function write(scratch: ScratchDir, files: Readonly<Record<string, string | Buffer>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(scratch.join(path)), { recursive: true });
    writeFileSync(scratch.join(path), content);
  }
}

function brief({ packages }: Inventory): string[] {
  return packages.map(({ kind, name, version }) => `${kind} ${name} ${version}`);
}

/** The smallest ELF file that has Go's build information. */
function goProgram(modules: string): Buffer {
  const text = (content: Buffer): Buffer[] => {
    const length: number[] = [];
    for (let rest = content.length; ; rest >>= 7) {
      length.push(rest > 127 ? (rest & 127) | 128 : rest);
      if (rest <= 127) break;
    }
    return [Buffer.from(length), content];
  };
  const mark = Buffer.alloc(16, 0xf2);
  const start = Buffer.alloc(32);
  start.write('\xff Go buildinf:', 'latin1');
  start[14] = 8;
  start[15] = 2;
  const info = Buffer.concat([
    start,
    ...text(Buffer.from('go1.22.3')),
    ...text(Buffer.concat([mark, Buffer.from(modules), mark])),
  ]);
  const names = Buffer.from('\0.go.buildinfo\0.shstrtab\0');
  const header = Buffer.alloc(64);
  header.write('\x7fELF\x02\x01\x01', 'latin1');
  header.writeBigUInt64LE(BigInt(64 + info.length + names.length), 0x28);
  header.writeUInt16LE(64, 0x3a);
  header.writeUInt16LE(3, 0x3c);
  header.writeUInt16LE(2, 0x3e);
  const sections = Buffer.alloc(3 * 64);
  for (const [index, name, offset, size] of [
    [1, 1, 64, info.length],
    [2, 15, 64 + info.length, names.length],
  ] as const) {
    sections.writeUInt32LE(name, index * 64);
    sections.writeBigUInt64LE(BigInt(offset), index * 64 + 0x18);
    sections.writeBigUInt64LE(BigInt(size), index * 64 + 0x20);
  }
  return Buffer.concat([header, info, names, sections]);
}

test('scanRoot: finds what is installed, by all its readers', async () => {
  using scratch = scratchDir();
  write(scratch, {
    'usr/lib/os-release': 'NAME="Debian"\nID=debian\nVERSION_ID="12"\n',
    'var/lib/dpkg/status':
      'Package: curl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 7.88.1-10\nDescription: x\n Package: no\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n',
    'var/lib/dpkg/status.d/base': 'Package: base-files\nVersion: 12.4\n',
    'lib/apk/db/installed': 'P:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\np:so:libc.musl=1\n\nP:busybox\nV:1.36\n\n',
    'app/node_modules/koa/package.json': '{"name":"koa","version":"2.15.3","license":"MIT"}',
    'app/node_modules/@a/b/package.json': '{"name":"@a/b","version":"1.0.0"}',
    'app/node_modules/koa/test/package.json': '{"name":"fixture","version":"1.0.0"}',
    'app/package.json': '{"name":"app","version":"0.0.1"}',
    'app/package-lock.json':
      '{"packages":{"":{"name":"app"},"node_modules/x":{"version":"3.0.0"},"node_modules/x/node_modules/@s/y":{"version":"4.0.0"}}}',
    'usr/lib/python3/dist-packages/flask-3.0.dist-info/METADATA':
      'Metadata-Version: 2.1\nName: Flask\nVersion: 3.0\nLicense: BSD-3-Clause\n\nName: evil\n',
    'bin/tool': goProgram(
      'path\tcmd\nmod\texample.com/tool\tv1.0.0\th1:x\ndep\texample.com/old\tv1.1.0\n=>\texample.com/new\tv2.0.0\th1:y\nbuild\tGOOS=linux\n',
    ),
    'bin/script': '#!/bin/sh\n',
  });
  chmodSync(scratch.join('bin/tool'), 0o755);
  chmodSync(scratch.join('bin/script'), 0o755);
  const inventory = await scanRoot(scratch.path, { signal });
  assert.deepEqual([inventory.distribution, inventory.release], ['debian', '12']);
  assert.deepEqual(brief(inventory), [
    'apk busybox 1.36',
    'apk musl 1.2.5-r0',
    'deb base-files 12.4',
    'deb curl 7.88.1-10',
    'golang example.com/new v2.0.0',
    'golang example.com/tool v1.0.0',
    'golang stdlib v1.22.3',
    'npm @a/b 1.0.0',
    'npm @s/y 4.0.0',
    'npm koa 2.15.3',
    'npm x 3.0.0',
    'pypi Flask 3.0',
  ]);
  const koa = inventory.packages.find(({ name }) => name === 'koa');
  assert.deepEqual([koa?.license, koa?.location], ['MIT', 'app/node_modules/koa/package.json']);
});

test('scanRoot: follows no link and stumbles over nothing', async () => {
  using outside = scratchDir();
  using scratch = scratchDir();
  write(outside, { status: 'Package: secret\nStatus: install ok installed\nVersion: 1\n' });
  write(scratch, {
    'a/node_modules/broken/package.json': '{"name":',
    'a/node_modules/odd/package.json': '{"name":["x"],"version":{}}',
    'a/node_modules/deep/package.json': `${'['.repeat(5000)}`,
    'a/node_modules/ctl/package.json': '{"name":"a\\u0000b","version":"1"}',
    'a/node_modules/sur/package.json': '{"name":"\\ud800","version":"1"}',
    'a/package-lock.json': '{"dependencies":{"x":{"version":1}}}',
    'bin/elf': Buffer.concat([Buffer.from('\x7fELF\x02\x01\x01', 'latin1'), Buffer.alloc(200, 0xff)]),
    'bin/short': '\x7fELF',
  });
  chmodSync(scratch.join('bin/elf'), 0o755);
  mkdirSync(scratch.join('var/lib/dpkg'), { recursive: true });
  symlinkSync(outside.join('status'), scratch.join('var/lib/dpkg/status'));
  mkdirSync(scratch.join('lib/apk/db'), { recursive: true });
  mkfifo(scratch.join('lib/apk/db/installed'), 0o644);
  assert.deepEqual(brief(await scanRoot(scratch.path, { signal })), []);
  await assert.rejects(
    scanRoot(scratch.path, { signal: AbortSignal.abort(new Error('gone')) }),
    /^Error: gone$/,
  );
});

test('readers: any bytes give packages with sound names, or an error for people', () => {
  const piece = fc.constantFrom(
    'Package: a\n',
    'Version: 1\n',
    'P:x\n',
    'V:',
    '\n',
    'Name: ',
    '"packages"',
    '{',
    '}',
    ':',
    '[',
    '"',
    '\0',
    'é',
    ' ',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const text = pieces.join('');
      const found = [...readDpkgStatus(text), ...readApkInstalled(text), ...readPythonMetadata(text)];
      for (const { name, version } of found) assert.doesNotMatch(name + version, /[\s\0]/);
      try {
        readPackageLock(Buffer.from(text));
      } catch (error) {
        assert.equal((error as { kind?: string }).kind, 'invalid');
      }
    }),
  );
  const program = goProgram('mod\tm\tv1\n');
  const read = (bytes: Buffer) => (offset: number, length: number) =>
    Number.isSafeInteger(offset) ? bytes.subarray(offset, offset + length) : Buffer.alloc(0);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(program.length - 1), fc.nat(255)), { maxLength: 8 }), (changes) => {
      const bytes = Buffer.from(program);
      for (const [at, value] of changes) bytes[at] = value;
      try {
        readGoProgram(bytes.subarray(0, 64), read(bytes));
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
      }
    }),
  );
});
