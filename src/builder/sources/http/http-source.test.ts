import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { type ScratchDir, scratchDir } from '#tests/scratch-dir.ts';
import { HttpSource } from './http-source.ts';

const direct = { http: '', https: '', no: '' };
const { signal } = new AbortController();

function open(scratch: ScratchDir, proxies: typeof direct = direct): Promise<HttpSource> {
  return HttpSource.open({ root: scratch.join('cache'), proxies, userAgent: 'test/1' });
}

async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ readonly url: string; readonly asked: IncomingMessage[] } & AsyncDisposable> {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

test('HttpSource: gets a file with its name and time, and again only when it has changed', async () => {
  using scratch = scratchDir();
  let content = 'one';
  await using server = await serve((request, response) => {
    const headers = {
      etag: `"${content}"`,
      'last-modified': 'Wed, 21 Oct 2015 07:28:00 GMT',
      'content-disposition': 'attachment; filename=other.txt',
    };
    if (request.headers['if-none-match'] === headers.etag) response.writeHead(304).end();
    else response.writeHead(200, headers).end(content);
  });
  using source = await open(scratch);
  const url = new URL(`${server.url}/a/file.txt?x=1`);
  const first = await source.get({ url, signal });
  assert.deepEqual([first.name, first.size, first.digest], ['file.txt', 3, digestOf('one')]);
  assert.equal(statSync(first.path).mtimeMs, Date.UTC(2015, 9, 21, 7, 28));
  {
    await using again = await source.get({ url, signal });
    assert.equal(readFileSync(again.path, 'utf8'), 'one');
    assert.equal(server.asked.at(-1)?.headers['if-none-match'], '"one"');
  }
  content = 'two';
  {
    await using changed = await source.get({ url, signal });
    assert.equal(readFileSync(changed.path, 'utf8'), 'two');
  }
  // Whoever has the old one keeps it.
  assert.equal(readFileSync(first.path, 'utf8'), 'one');
  const [kept] = await source.kept();
  assert.deepEqual([kept?.description, kept?.size], [`http url ${server.url}/a/file.txt?x=xxxxx`, 3]);
  assert.equal(await source.forget(kept?.id ?? ''), true);
  assert.deepEqual(await source.kept(), []);
  assert.equal(readFileSync(first.path, 'utf8'), 'one');
  await first[Symbol.asyncDispose]();
  assert.deepEqual(readdirSync(scratch.join('cache', 'open')), []);
});

test('HttpSource: takes what has the right checksum without asking, and nothing else', async () => {
  using scratch = scratchDir();
  await using server = await serve((_, response) => response.end('content'));
  using source = await open(scratch);
  const url = new URL(`${server.url}/f`);
  await assert.rejects(
    source.get({ url, signal, checksum: digestOf('other') }),
    /digest mismatch .*expected: sha256:/,
  );
  const checksum = digestOf('content');
  for (let time = 0; time < 3; time += 1) {
    await using file = await source.get({ url, signal, checksum });
    assert.equal(file.digest, checksum);
  }
  assert.equal(server.asked.length, 2);
  assert.deepEqual(readdirSync(scratch.join('cache', 'open')), []);
});

test('HttpSource: follows redirects, but not for ever, and without credentials for others', async () => {
  using scratch = scratchDir();
  await using other = await serve((_, response) => response.end('there'));
  await using server = await serve((request, response) => {
    if (request.url === '/out') response.writeHead(302, { location: `${other.url}/x` }).end();
    else if (request.url === '/file') response.writeHead(302, { location: 'file:///etc/passwd' }).end();
    else response.writeHead(301, { location: '/again' }).end();
  });
  using source = await open(scratch);
  const own = new URL(`${server.url.replace('//', '//me:s3cret@')}/out`);
  {
    await using file = await source.get({ url: own, signal });
    assert.equal(file.name, 'out');
    assert.equal(readFileSync(file.path, 'utf8'), 'there');
  }
  assert.equal(
    server.asked[0]?.headers.authorization,
    `Basic ${Buffer.from('me:s3cret').toString('base64')}`,
  );
  assert.equal(other.asked[0]?.headers.authorization, undefined);
  await assert.rejects(
    source.get({ url: new URL(`${server.url}/loop`), signal }),
    /stopped after 10 redirects/,
  );
  await assert.rejects(
    source.get({ url: new URL(`${server.url}/file`), signal }),
    /redirects to what is no URL/,
  );
  await assert.rejects(source.get({ url: new URL('ftp://x/y'), signal }), { kind: 'invalid' });
});

test('HttpSource: failures leave nothing and tell what happened, without secrets', async () => {
  using scratch = scratchDir();
  await using server = await serve((request, response) => {
    if (request.url === '/missing') response.writeHead(404).end('no');
    else if (request.url === '/short') {
      response.writeHead(200, { 'content-length': '100' });
      response.write('abc', () => response.destroy());
    } else if (request.url === '/long')
      response.writeHead(200, { 'content-length': '1000' }).end(Buffer.alloc(1000));
    else {
      response.writeHead(200);
      response.end(Buffer.alloc(1000));
    }
  });
  using source = await open(scratch);
  const get = (path: string): Promise<unknown> =>
    source.get({ url: new URL(`${server.url.replace('//', '//u:pw123@')}${path}`), signal, maxBytes: 500 });
  await assert.rejects(
    get('/missing'),
    (error: Error) => /invalid response status 404/.test(error.message) && !error.message.includes('pw123'),
  );
  await assert.rejects(get('/short'), /broke off/);
  await assert.rejects(get('/long'), { kind: 'tooLarge' });
  await assert.rejects(get('/chunked'), { kind: 'tooLarge' });
  await assert.rejects(source.get({ url: new URL('http://127.0.0.1:1/'), signal }), /connection refused/);
  assert.deepEqual(readdirSync(scratch.join('cache', 'open')), []);
});

test('HttpSource: a client that leaves ends the download', async () => {
  using scratch = scratchDir();
  const leave = new AbortController();
  await using server = await serve((_, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('abc');
  });
  using source = await open(scratch);
  const getting = source.get({
    url: new URL(`${server.url}/f`),
    signal: leave.signal,
    progress: () => leave.abort(new Error('gone')),
  });
  await assert.rejects(getting, /^Error: gone$/);
  assert.deepEqual(readdirSync(scratch.join('cache', 'open')), []);
});

test('HttpSource: takes the proxy that the daemon has', async () => {
  using scratch = scratchDir();
  await using proxy = await serve((request, response) => response.end(`proxied ${request.url}`));
  using source = await open(scratch, { http: proxy.url, https: '', no: '' });
  await using file = await source.get({ url: new URL('http://files.example/x'), signal });
  assert.equal(readFileSync(file.path, 'utf8'), 'proxied http://files.example/x');
});

test('HttpSource: what a daemon that died has left does not stay', async () => {
  using scratch = scratchDir();
  await using server = await serve((_, response) => response.end('content'));
  const url = new URL(`${server.url}/f`);
  {
    using source = await open(scratch);
    await source.get({ url, signal });
    const [name = ''] = readdirSync(scratch.join('cache', 'files'));
    // Between the content and what is known of it.
    rmSync(scratch.join('cache', 'files', name, 'facts.json'));
  }
  using source = await open(scratch);
  assert.deepEqual(
    [...readdirSync(scratch.join('cache', 'files')), ...readdirSync(scratch.join('cache', 'open'))],
    [],
  );
  await using file = await source.get({ url, signal });
  assert.equal(readFileSync(file.path, 'utf8'), 'content');
});
