import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildToEnd } from '#tests/build-client.ts';
import { TestDaemon } from '#tests/daemon.ts';
import { leakCheck } from '#tests/leak-check.ts';

test('build: a step on a network that people have made reaches the services in it by their names', async () => {
  await using daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  const post = async (path: string, body?: unknown): Promise<unknown> => {
    const { status, value } = await daemon.json('POST', path, body);
    assert.ok(status < 300, JSON.stringify(value));
    return value;
  };
  const prune = async (): Promise<void> => {
    await post('/images/prune?filters={"dangling":["true"]}');
    await post('/build/prune?all=true');
  };
  await buildToEnd(daemon, { Dockerfile: 'FROM busybox\nRUN true' });
  await prune();
  await post('/networks/create', { Name: 'services' });
  const { Id: network } = (await daemon.json('GET', '/networks/host')).value as { Id: string };
  await post('/containers/create?name=web', {
    Image: 'busybox',
    Cmd: ['sh', '-c', 'echo from web >/index.html; exec httpd -f -h /'],
    HostConfig: { NetworkMode: 'services' },
  });
  await post('/containers/web/start');
  await leakCheck(daemon, async () => {
    const fetch = 'for i in $(seq 50); do wget -qO - http://web/ && exit 0; sleep 0.1; done; exit 1';
    assert.match(
      await buildToEnd(daemon, { Dockerfile: `FROM busybox\nRUN --network=services ${fetch}` }),
      /from web\n[\s\S]*Successfully built/,
    );
    assert.match(
      await buildToEnd(
        daemon,
        { Dockerfile: `FROM busybox\nRUN ${fetch} # by default` },
        'networkmode=services',
      ),
      /from web\n[\s\S]*Successfully built/,
    );
    // The default network has no names, and the host's is not to be had by another name.
    assert.match(
      await buildToEnd(daemon, { Dockerfile: 'FROM busybox\nRUN ! grep web /etc/hosts && echo alone' }),
      /alone\n[\s\S]*Successfully built/,
    );
    assert.match(
      await buildToEnd(daemon, { Dockerfile: `FROM busybox\nRUN --network=${network} true` }),
      /ERROR .*network.host is not allowed/,
    );
    await prune();
  });
  await daemon.ask('DELETE', '/containers/web?force=true');
  await daemon.ask('DELETE', '/networks/services');
});
