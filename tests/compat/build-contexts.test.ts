import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { lsetxattr } from '#/kernel/files.ts';
import { buildxCli, noBuildx } from '#tests/buildx.ts';
import { TestDaemon } from '#tests/daemon.ts';
import { DockerCli } from '#tests/docker-cli.ts';
import { leakCheck } from '#tests/leak-check.ts';

const daemon = await TestDaemon.start();
after(() => daemon[Symbol.asyncDispose]());
const cli = noBuildx === false ? buildxCli(daemon) : new DockerCli(daemon);

const root = join(import.meta.dirname, '../..');
const skiffBinary = join(root, 'dist/skiff');

/** What a tree holds, one line for each thing: kind and mode, target or checksum, name. */
const list =
  'find . -mindepth 1 ! -name Dockerfile -print0 | LC_ALL=C sort -z | while IFS= read -r -d "" f; do stat -c \'%A %N\' "$f"; if [ -f "$f" ]; then sha256sum "$f"; fi; done';

/** What the cache keeps is no leak. */
async function emptyCache(): Promise<void> {
  await cli.ok('docker builder prune --all --force');
}

test(
  'docker buildx: whatever is done to a context between builds, the image has what is there',
  {
    skip: noBuildx,
  },
  () =>
    leakCheck(daemon, async () => {
      const context = join(cli.dir, 'changing');
      const at = (name: string): string => join(context, name);
      mkdirSync(at('d/e'), { recursive: true });
      writeFileSync(at('Dockerfile'), 'FROM scratch\nCOPY . /\n');
      writeFileSync(at('big'), randomBytes(3_000_000));
      writeFileSync(at('d/file'), 'file');
      writeFileSync(at('d/e/deep'), 'deep');
      const changes: readonly (readonly [what: string, change: () => void])[] = [
        ['the first time', () => {}],
        ['no change', () => {}],
        ['content', () => writeFileSync(at('d/file'), 'FILE')],
        ['mode', () => chmodSync(at('d/file'), 0o4755)],
        ['mode of a directory', () => chmodSync(at('d'), 0o700)],
        ['time', () => utimesSync(at('d/e/deep'), 1, 1)],
        ['rename', () => renameSync(at('d/e/deep'), at('d/deeper'))],
        ['removal of a directory', () => rmSync(at('d/e'), { recursive: true })],
        ['a link for a file', () => (rmSync(at('d/file')), symlinkSync('/etc/passwd', at('d/file')))],
        [
          'a directory for a link',
          () => (rmSync(at('d/file')), mkdirSync(at('d/file/x'), { recursive: true })),
        ],
        [
          'a file for a directory',
          () => (rmSync(at('d/file'), { recursive: true }), writeFileSync(at('d/file'), '')),
        ],
        ['a further name', () => linkSync(at('big'), at('d/big-too'))],
        ['another file with that name', () => (rmSync(at('big')), writeFileSync(at('big'), 'small'))],
        ['an ignore file', () => writeFileSync(at('.dockerignore'), 'd/big*\n')],
        ['nothing ignored', () => writeFileSync(at('.dockerignore'), '')],
        [
          'names of all kinds',
          () => [' x ', '-n', 'naïve', 'a\nb', '.hidden'].forEach((name) => writeFileSync(at(name), name)),
        ],
      ];
      for (const [what, change] of changes) {
        change();
        const { code, stderr } = await cli.run(
          'docker buildx build --progress plain -o type=tar,dest=out.tar changing',
        );
        assert.equal(code, 0, `${what}\n${stderr}`);
        if (what === 'no change') assert.match(stderr, /transferring context: [0-9.]+k?B/);
        const lines = `mkdir got && tar -xf out.tar -C got && (cd got && ${list}); rm -rf got`;
        const expected = await cli.ok(`cd changing && ${list}`);
        const ignored = what === 'an ignore file' ? /^(?!.*d\/big).*$/gm : /^.*$/gm;
        assert.equal(await cli.ok(lines), (expected.match(ignored) ?? []).join('\n').trim(), what);
      }
      await emptyCache();
    }),
);

test(
  'docker buildx: a client that is killed while it sends, and two that send at once, do no harm',
  {
    skip: noBuildx,
  },
  () =>
    leakCheck(daemon, async () => {
      const context = join(cli.dir, 'context');
      mkdirSync(join(context, 'many'), { recursive: true });
      writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nARG X\nCOPY . /\n');
      for (let n = 0; n < 2000; n += 1) writeFileSync(join(context, `many/${n}`), randomBytes(20_000));
      const build = 'docker buildx build --progress plain';
      // On a quick machine a build is done before its client is killed: then its image would be no leak.
      for (const patience of ['0.3', '0.6', '0.9'])
        await cli.run(`timeout -s KILL ${patience} ${build} --output type=cacheonly context`);
      const check = (name: string): string =>
        `mkdir ${name} && tar -xf ${name}.tar -C ${name} && diff -r context ${name} && rm -r ${name}`;
      const both = ['one', 'two'].map((name) =>
        cli.run(
          `${build} --no-cache --build-arg X=${name} -o type=tar,dest=${name}.tar context && ${check(name)}`,
        ),
      );
      for (const { code, stdout, stderr } of await Promise.all(both)) assert.equal(code, 0, stdout + stderr);
      await emptyCache();
    }),
);

test('build: a program of the context keeps its capabilities, whichever client sends it', async () => {
  await daemon.loadBusybox();
  const context = join(cli.dir, 'capable');
  mkdirSync(context);
  copyFileSync('/bin/busybox', join(context, 'busybox'));
  // cap_net_bind_service=ep (linux/capability.h, vfs_cap_data of revision 2), and what only overlayfs may say.
  const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
  lsetxattr(join(context, 'busybox'), 'security.capability', capability);
  lsetxattr(join(context, 'busybox'), 'trusted.overlay.redirect', Buffer.from('/etc/shadow'));
  const dockerfile = (step: string): string =>
    `FROM busybox\n${step}\nUSER 1000\nRUN ["/busybox", "grep", "CapEff", "/proc/self/status"]\n`;
  const clients: readonly (readonly [name: string, command: string, isThere: boolean])[] = [
    ['buildx', 'docker buildx build --load', noBuildx === false],
    ['classic', 'DOCKER_BUILDKIT=0 docker build', true],
    [
      'skiff',
      `SKIFF_HOST=${daemon.host} ${join(root, 'bin/skiff')} build`,
      !process.env['SKIFF_FROM_SOURCE'] && existsSync(skiffBinary),
    ],
  ];
  for (const [name, command, isThere] of clients) {
    if (!isThere) continue;
    for (const step of [
      'COPY busybox /',
      'COPY --link busybox /',
      'FROM busybox AS s\nCOPY busybox /\nFROM busybox\nCOPY --from=s /busybox /',
    ]) {
      if (name === 'classic' && step.includes('--link')) continue;
      writeFileSync(join(context, 'Dockerfile'), dockerfile(step));
      const stdout = await cli.ok(
        `${command} -t capable capable 2>/dev/null && docker run --rm capable /busybox grep CapEff /proc/self/status`,
      );
      assert.match(stdout, /CapEff:\t0000000000000400$/, `${name}: ${step}`);
    }
  }
  await emptyCache();
});
