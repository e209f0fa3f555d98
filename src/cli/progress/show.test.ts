import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { encodeProgress, type ProgressMessage } from '#/wire/json-stream.ts';
import { showProgress } from './show.ts';

/** What is shown of an answer, and the results in it. */
async function show(
  answer: (response: ServerResponse) => void,
  { terminal = false, term = 'xterm' }: { terminal?: boolean; term?: string } = {},
): Promise<{ text: string; results: unknown[]; failure: unknown }> {
  const server = createServer((_request, response) => answer(response)).listen(0);
  try {
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    const body = await new Promise<IncomingMessage>((resolve, reject) => {
      request({ port: address.port }, resolve).once('error', reject).end();
    });
    let text = '';
    const output = {
      write: (more: string) => void (text += more),
      isTTY: terminal,
      columns: 80,
      rows: 24,
      stream: new PassThrough(),
    };
    const results: unknown[] = [];
    const failure = await showProgress(body, {
      output,
      env: { TERM: term },
      onResult: (result) => results.push(result),
    }).catch((error: unknown) => error);
    return { text, results, failure };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const sending =
  (...messages: readonly ProgressMessage[]) =>
  (response: ServerResponse): void =>
    void response.end(messages.map(encodeProgress).join(''));

const pull: ProgressMessage[] = [
  { status: 'Pulling from library/x', id: 'latest' },
  { status: 'Pulling fs layer', id: 'a', progressDetail: {} },
  { status: 'Downloading', id: 'a', progressDetail: { current: 50, total: 100 }, progress: '[==>]' },
  { status: 'Downloading', id: 'a', progressDetail: { current: 0, total: 100 } },
  { status: 'Extracting', id: 'a', progressDetail: { current: 1, units: 's' } },
  { status: 'Pull complete', id: 'a', progressDetail: {} },
  { aux: { Tag: 'latest' }, progressDetail: {} },
  { status: 'Status: Done' },
];
const steps = 'latest: Pulling from library/x\na: Pulling fs layer\na: Pull complete\nStatus: Done\n';

test('showProgress: without a terminal, or on one that can do nothing, the steps as lines', async () => {
  assert.deepEqual(await show(sending(...pull)), {
    text: steps,
    results: [{ Tag: 'latest' }],
    failure: undefined,
  });
  assert.equal((await show(sending(...pull), { terminal: true, term: 'dumb' })).text, steps);
  assert.equal((await show(sending(...pull), { terminal: true, term: '' })).text, steps);
  assert.equal((await show(sending({ stream: 'Loaded image: x\n' }))).text, 'Loaded image: x\n');
});

test('showProgress: on a terminal it ends with a summary between the lines that stay', async () => {
  const { text } = await show(sending(...pull), { terminal: true });
  const lines = text.replaceAll('\u001b[K', '').replaceAll('\u001b[J', '');
  assert.match(lines, /^latest: Pulling from library\/x\n/);
  assert.match(lines, /1 layer: 100B in \d\.\ds[^\n]*\nStatus: Done\n$/);
});

test('showProgress: an error in the stream is thrown', async () => {
  const error = { error: 'no space', errorDetail: { message: 'no space left' } };
  const { text, failure } = await show(sending(...pull.slice(0, 2), error));
  assert.equal(text, 'latest: Pulling from library/x\na: Pulling fs layer\n');
  assert.ok(failure instanceof Error);
  assert.equal(failure.message, 'no space left');
});

test('showProgress: a daemon that hangs up in the middle', async () => {
  const { text, failure } = await show((response) => {
    response.write(`${encodeProgress({ status: 'Begun' })}{"sta`, () => response.destroy());
  });
  assert.equal(text, 'Begun\n');
  assert.ok(failure instanceof Error);
  assert.equal(failure.message, 'the daemon hung up before it had finished: unexpected EOF');
});
