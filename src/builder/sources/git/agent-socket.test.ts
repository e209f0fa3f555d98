import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { scratchDir } from '#tests/scratch-dir.ts';
import { agentSocket } from './agent-socket.ts';

test('agentSocket: joins whoever connects with the agent of the client', async () => {
  using scratch = scratchDir();
  const asked: string[] = [];
  const ssh = {
    has: () => Promise.resolve(true),
    connect: (id: string) => {
      asked.push(id);
      const [ours, theirs] = duplexPair();
      theirs.on('data', (chunk: Buffer) => theirs.write(`got ${chunk.toString()}`));
      return ours;
    },
  };
  const path = scratch.join('agent.sock');
  using _agent = await agentSocket(path, ssh, 'default');
  const client = connect(path);
  client.write('hello');
  const [answer] = (await once(client, 'data')) as [Buffer];
  assert.equal(answer.toString(), 'got hello');
  assert.deepEqual(asked, ['default']);
  client.destroy();
});
