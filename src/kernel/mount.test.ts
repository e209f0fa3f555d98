import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { isSystemError } from '#/base/errors.ts';
import { kernelAtLeast } from '#tests/kernel.ts';
import { type Mount, mount, setPropagation, unmount } from './mount.ts';
import { mountShortened } from './mount-context.ts';
import { parseMountOptions } from './mount-options.ts';
import { isMountPoint, type MountInfo, propagationOf, readMountInfo } from './mountinfo.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'mount-'));
  mount({ type: 'tmpfs', source: 'tmpfs', options: ['mode=700', 'private'] }, dir);
});

afterEach(() => {
  for (const { mountPoint } of readMountInfo().toReversed()) {
    if (mountPoint.startsWith(dir)) unmount(mountPoint, { detach: true });
  }
  rmSync(dir, { recursive: true });
});

function made(name: string): string {
  const path = join(dir, name);
  mkdirSync(path, { recursive: true });
  return path;
}

function infoOf(path: string): MountInfo {
  const found = readMountInfo().findLast((mounted) => mounted.mountPoint === path);
  assert.ok(found, `nothing is mounted at ${path}`);
  return found;
}

function overlayOf(layers: readonly string[]): Mount {
  const [upper, work] = [made('upper'), made('work')];
  return {
    type: 'overlay',
    source: 'overlay',
    options: [`lowerdir=${layers.join(':')}`, `upperdir=${upper}`, `workdir=${work}`],
  };
}

/** Directories, each with a file that tells its number and one that all of them have. */
function layers(count: number, padding: string): string[] {
  return Array.from({ length: count }, (_, index) => {
    const path = made(join(padding, `layer-${index}`));
    writeFileSync(join(path, `file-${index}`), String(index));
    writeFileSync(join(path, 'common'), String(index));
    return path;
  });
}

test('mount: options become flags and file-system data', () => {
  const target = made('t');
  mount({ type: 'tmpfs', source: 'src', options: ['ro', 'nosuid', 'nodev', 'noexec', 'size=64k'] }, target);
  const info = infoOf(target);
  assert.deepEqual(
    ['ro', 'nosuid', 'nodev', 'noexec'].filter((word) => !info.options.includes(word)),
    [],
  );
  assert.equal(info.source, 'src');
  assert.ok(info.superOptions.includes('size=64k'));
  unmount(target);
  assert.equal(isMountPoint(target), false);
});

test('mount: a read-only bind mount keeps the other attributes of its source', () => {
  const [source, target] = [made('s'), made('t')];
  mount({ type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'noexec'] }, source);
  mount({ type: 'bind', source, options: ['bind', 'ro', 'nodev'] }, target);
  const { options } = infoOf(target);
  assert.deepEqual(options.slice(0, 4), ['ro', 'nosuid', 'nodev', 'noexec']);
  assert.throws(() => writeFileSync(join(target, 'x'), ''), { code: 'EROFS' });
  writeFileSync(join(source, 'x'), 'through the source');
  assert.equal(readFileSync(join(target, 'x'), 'utf8'), 'through the source');
});

test('mount: remount of a bind mount changes only what is named', () => {
  const [source, target] = [made('s'), made('t')];
  mount({ type: 'bind', source, options: ['bind', 'ro', 'nosuid'] }, target);
  mount({ type: 'bind', source: '', options: ['remount', 'bind', 'rw'] }, target);
  assert.deepEqual(infoOf(target).options.slice(0, 2), ['rw', 'nosuid']);
});

test('mount: rbind takes submounts along, bind does not', () => {
  const [source, shallow, deep] = [made('s'), made('shallow'), made('deep')];
  const below = made('s/below');
  mount({ type: 'tmpfs', source: 'tmpfs', options: [] }, below);
  mount({ type: 'bind', source, options: ['bind', 'ro'] }, shallow);
  mount({ type: 'bind', source, options: ['rbind', 'ro'] }, deep);
  assert.equal(isMountPoint(join(shallow, 'below')), false);
  assert.equal(isMountPoint(join(deep, 'below')), true);
});

test('mount: propagation words apply to the new mount', () => {
  const [source, target] = [made('s'), made('t')];
  mount({ type: 'tmpfs', source: 'tmpfs', options: ['shared'] }, source);
  assert.equal(propagationOf(source), 'shared');
  mount({ type: 'bind', source, options: ['rbind', 'rslave'] }, target);
  assert.equal(propagationOf(target), 'slave');
  setPropagation(target, 'rshared');
  assert.equal(propagationOf(target), 'slave,shared');
  setPropagation(target, 'private');
  assert.equal(propagationOf(target), 'private');
  setPropagation(target, 'unbindable');
  assert.equal(propagationOf(target), 'unbindable');
});

test('mount: an overlay with short options', () => {
  const merged = made('merged');
  mount(overlayOf(layers(2, '')), merged);
  assert.equal(readFileSync(join(merged, 'common'), 'utf8'), '0');
  assert.equal(readFileSync(join(merged, 'file-1'), 'utf8'), '1');
  writeFileSync(join(merged, 'new'), '');
  assert.equal(infoOf(merged).type, 'overlay');
});

test('mount: an overlay of 150 layers whose options fill two pages', () => {
  const merged = made('merged');
  mount(overlayOf(layers(150, 'a-directory-with-a-long-name')), merged);
  assert.equal(readFileSync(join(merged, 'common'), 'utf8'), '0');
  assert.equal(readFileSync(join(merged, 'file-149'), 'utf8'), '149');
});

test('mount: an overlay of 500 layers whose options fill many pages', (t) => {
  if (!kernelAtLeast(6, 8)) {
    t.skip('the kernel takes about 200 layers');
    return;
  }
  const merged = made('merged');
  mount(overlayOf(layers(500, 'a-directory-with-a-long-name')), merged);
  assert.equal(readFileSync(join(merged, 'common'), 'utf8'), '0');
  assert.equal(readFileSync(join(merged, 'file-499'), 'utf8'), '499');
  writeFileSync(join(merged, 'new'), 'upper');
  assert.equal(readFileSync(join(dir, 'upper/new'), 'utf8'), 'upper');
});

test('mount: overlay directories longer than fsconfig takes, with colons in their names', () => {
  const merged = made('merged');
  const deep = `${'d'.repeat(200)}/${'e:e'.repeat(60)}`;
  const paths = layers(20, deep).map((path) => path.replaceAll(':', '\\:'));
  mount(overlayOf(paths), merged);
  assert.equal(readFileSync(join(merged, 'file-19'), 'utf8'), '19');
});

test('mount: the kernel tells why a long overlay failed', () => {
  const merged = made('merged');
  const paths = layers(60, 'a-directory-that-makes-the-options-longer-than-a-page');
  rmSync(paths[30] ?? '', { recursive: true });
  assert.throws(
    () => mount(overlayOf(paths), merged),
    (error) => isSystemError(error, 'ENOENT') && error.message.includes('layer-30'),
  );
});

test('mountShortened: mounts many layers through mount(2)', () => {
  const merged = made('merged');
  const m = overlayOf(layers(150, 'a-directory-with-a-long-name'));
  mountShortened(m, merged, parseMountOptions(m.options));
  assert.equal(readFileSync(join(merged, 'file-149'), 'utf8'), '149');
  const tooMany = overlayOf(layers(400, 'p'));
  assert.throws(() => mountShortened(tooMany, merged, parseMountOptions(tooMany.options)), {
    code: 'E2BIG',
    message: /402 directories.*before Linux 6\.8/,
  });
});

test('mount: failures look like those of node:fs', () => {
  assert.throws(() => mount({ type: 'tmpfs', source: 'x', options: [] }, join(dir, 'none')), {
    code: 'ENOENT',
    errno: -2,
    syscall: 'mount',
    path: join(dir, 'none'),
    message: `ENOENT: no such file or directory, mount '${join(dir, 'none')}'`,
  });
  assert.throws(() => mount({ type: 'nonesuch', source: 'x', options: [] }, dir), { code: 'ENODEV' });
  assert.throws(() => mount({ type: 'bind', source: join(dir, 'none'), options: ['bind', 'ro'] }, dir), {
    code: 'ENOENT',
    path: join(dir, 'none'),
  });
  assert.throws(() => mount({ type: 'tmpfs', source: 'x', options: [] }, `${dir}\0/etc`), TypeError);
});

test('unmount: fails on what is not mounted and does not follow links', () => {
  const target = made('t');
  assert.throws(() => unmount(target), { code: 'EINVAL', syscall: 'umount2' });
  mount({ type: 'tmpfs', source: 'tmpfs', options: [] }, target);
  symlinkSync(target, join(dir, 'link'));
  assert.throws(() => unmount(join(dir, 'link')), { code: 'EINVAL' });
  assert.equal(isMountPoint(target), true);
});

test('parseMountOptions: the last word wins', () => {
  assert.equal(parseMountOptions(['ro', 'rw']).flags & 1, 0);
  assert.equal(parseMountOptions(['rw', 'ro']).flags & 1, 1);
  assert.equal(parseMountOptions(['noatime', 'relatime']).flags, 0x200000);
  assert.deepEqual(parseMountOptions(['defaults', 'toString', 'rbind', 'rprivate', 'x=1']), {
    flags: 0x5000,
    set: 0,
    clear: 0,
    propagation: ['rprivate'],
    data: ['toString', 'x=1'],
  });
});
