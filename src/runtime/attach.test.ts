import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { processStartTime } from '#/kernel/proc.ts';
import { SeqpacketSocket } from '#/kernel/seqpacket.ts';
import { AttachSession } from './attach.ts';
import type { ProcessRef } from './exit-watcher.ts';

const packet = Buffer.alloc(8193, 2);

/** A process that runs until it is told to end. */
function startProcess(): { ref: ProcessRef; end: () => Promise<void> } {
  const child = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
  const pid = child.pid ?? 0;
  const end = async (): Promise<void> => {
    child.stdin?.end();
    if (child.exitCode === null) await once(child, 'exit');
  };
  return { ref: { pid, startTime: processStartTime(pid) ?? '' }, end };
}

/** Sends packets, giving the other side time to take them, until it takes none for a while; says how many went. */
async function sendUntilStuck(socket: SeqpacketSocket, most: number): Promise<number> {
  let sent = 0;
  for (let refused = 0; refused < 20 && sent < most; ) {
    if (socket.send(packet)) {
      sent += 1;
      refused = 0;
    } else {
      refused += 1;
      await sleep(5);
    }
  }
  return sent;
}

test('AttachSession: a reader that stays away stops the process, but not the report of its end', async () => {
  const [near, far] = SeqpacketSocket.pair();
  using session = new AttachSession(near);
  using _far = far;
  const { ref, end } = startProcess();
  session.follow(ref);
  const before = await sendUntilStuck(far, 1000);
  assert.ok(before < 1000, 'the sender has to wait');
  await end();
  assert.equal(await sendUntilStuck(far, 20), 20, 'what is left goes through');
  far.close();
  let bytes = 0;
  for await (const frames of session.output()) for (const { data } of frames) bytes += data.length;
  assert.equal(bytes, (before + 20) * (packet.length - 1), 'nothing is lost');
});

test('AttachSession: output that goes on after the end of the process is bounded', async () => {
  const [near, far] = SeqpacketSocket.pair();
  using session = new AttachSession(near);
  using _far = far;
  const closed = new Promise((resolve) => {
    far.onClose = resolve;
  });
  const { ref, end } = startProcess();
  await end();
  session.follow(ref);
  await assert.rejects(sendUntilStuck(far, 2000), { code: 'EPIPE' });
  await closed;
  let bytes = 0;
  for await (const frames of session.output()) for (const { data } of frames) bytes += data.length;
  assert.ok(bytes > 1 << 20 && bytes < 8 << 20, `${bytes} bytes`);
});
