import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { createServer, request } from 'node:http';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { encodeProgress, type ProgressMessage } from '#/wire/json-stream.ts';
import type { Output } from './command.ts';
import { showProgress } from './progress.ts';

async function show(messages: readonly ProgressMessage[], terminal: boolean): Promise<string> {
  const server = createServer((_request, response) => {
    response.end(messages.map(encodeProgress).join(''));
  }).listen(0);
  try {
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      request({ port: address.port }, resolve).once('error', reject).end();
    });
    const stream = new PassThrough();
    const output: Output = {
      write: (words) => void stream.write(words),
      isTTY: terminal,
      columns: 80,
      rows: 24,
      stream,
    };
    await showProgress(answer, output);
    stream.end();
    return await text(stream);
  } finally {
    server.close();
  }
}

const pull: ProgressMessage[] = [
  { status: 'Pulling', id: 'latest' },
  { status: 'Downloading', id: 'a', progressDetail: { current: 50, total: 100 } },
  { status: 'Downloading', id: 'b', progressDetail: { current: 1, total: 100 } },
  { status: 'Downloading', id: 'a', progressDetail: { current: 100, total: 100 } },
  { status: 'Done' },
];

test('showProgress: without a terminal only the steps', async () => {
  assert.equal(await show(pull, false), 'latest: Pulling\nDone\n');
  assert.equal(await show([{ stream: 'Loaded image: x\n' }], false), 'Loaded image: x\n');
});

test('showProgress: on a terminal each thing has its line', async () => {
  assert.equal(
    await show(pull, true),
    'latest: Pulling\na: Downloading  50B/100B\nb: Downloading  1B/100B\n\u001b[2A\u001b[2K\ra: Downloading  100B/100B\u001b[2B\rDone\n',
  );
});

test('showProgress: an error in the stream is thrown', async () => {
  await assert.rejects(show([{ error: 'no space', errorDetail: { message: 'no space left' } }], false), {
    message: 'no space left',
  });
});
