import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import { TestContainers, valueOf } from '#tests/test-containers.ts';

type Host = Readonly<Record<string, unknown>>;

test("binds: one that shows the daemon's own mounts lets go of them, and may not ask for anything else", async () => {
  await using daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  const containers = new TestContainers(daemon);
  const root = join(daemon.dir, 'data');
  const propagationOf = async (host: Host): Promise<string> => {
    const id = await containers.create({ cmd: 'true', host });
    const answer = await daemon.ask('GET', `/containers/${id}/json`);
    const { Mounts } = valueOf(answer, 200) as { Mounts: readonly { Propagation: string }[] };
    assert.equal(Mounts.length, 1);
    return Mounts[0]?.Propagation ?? '';
  };
  const ways = (source: string, propagation: string): Host[] => [
    { Binds: [`${source}:/foo${propagation === '' ? '' : `:${propagation}`}`] },
    {
      Mounts: [{ Type: 'bind', Source: source, Target: '/foo', BindOptions: { Propagation: propagation } }],
    },
  ];
  for (const source of [root, join(root, 'containers'), '/']) {
    for (const [asked, given] of [
      ['', 'rslave'],
      ['rslave', 'rslave'],
      ['rshared', 'rshared'],
    ] as const) {
      for (const host of ways(source, asked)) assert.equal(await propagationOf(host), given, source);
    }
    for (const asked of ['private', 'rprivate', 'slave', 'shared']) {
      for (const host of ways(source, asked)) {
        const { message } = valueOf(await containers.tryCreate({ host }), 400) as {
          message: string;
        };
        assert.match(
          message,
          /^invalid mount config: must use either propagation mode "rslave" or "rshared"/,
        );
      }
    }
  }
  for (const host of ways(`${root}-beside`, '').slice(0, 1))
    assert.equal(await propagationOf(host), 'rprivate');
  // Where nothing can travel from, one that was not asked for is no reason to refuse a start.
  const { exitCode } = await containers.runToEnd({
    cmd: 'test -d /foo/containers',
    host: ways(root, '')[0] ?? {},
  });
  assert.equal(exitCode, 0);
});
