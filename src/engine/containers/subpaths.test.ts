import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { bindSubpath, dropSubpaths } from './subpaths.ts';

class Scratch implements Disposable {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'skiff-subpath-'));
  readonly run: string = join(this.dir, 'run');
  readonly volume: string = join(this.dir, 'volume');

  constructor() {
    mkdirSync(this.run);
    mkdirSync(join(this.volume, 'a', 'b'), { recursive: true });
    writeFileSync(join(this.volume, 'a', 'b', 'file'), 'mine');
  }

  bind(subpath: string): string {
    return bindSubpath(this.run, { volume: this.volume, subpath });
  }

  [Symbol.dispose](): void {
    dropSubpaths(this.run);
    rmSync(this.dir, { recursive: true });
  }
}

test('bindSubpath: what was looked up stays what is mounted, whatever takes its place', () => {
  using scratch = new Scratch();
  const mounted = scratch.bind('a/b');
  renameSync(join(scratch.volume, 'a'), join(scratch.volume, 'old'));
  symlinkSync('/etc', join(scratch.volume, 'a'));
  assert.equal(readFileSync(join(mounted, 'file'), 'utf8'), 'mine');
  assert.throws(() => scratch.bind('a/passwd'), {
    message: `path concatenation escapes the base directory, base: ${scratch.volume}, subpath: a/passwd`,
  });
});

test('bindSubpath: files, links that stay inside, and several at once', () => {
  using scratch = new Scratch();
  symlinkSync('a/../a/b', join(scratch.volume, 'link'));
  const file = scratch.bind('a/b/file');
  const link = scratch.bind('link');
  assert.equal(readFileSync(file, 'utf8'), 'mine');
  assert.equal(readFileSync(join(link, 'file'), 'utf8'), 'mine');
});

test('bindSubpath: what is not there', () => {
  using scratch = new Scratch();
  const path = join(scratch.volume, 'a/none');
  assert.throws(() => scratch.bind('a/none'), {
    kind: 'notFound',
    message: `cannot access path ${path}: lstat ${path}: no such file or directory`,
  });
});

test('dropSubpaths: takes the mounts away and leaves the volume alone; repeating it is fine', () => {
  using scratch = new Scratch();
  scratch.bind('a/b');
  scratch.bind('a/b/file');
  dropSubpaths(scratch.run);
  dropSubpaths(scratch.run);
  assert.deepEqual(readdirSync(scratch.run), []);
  assert.ok(existsSync(join(scratch.volume, 'a/b/file')));
});
