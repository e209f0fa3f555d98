import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Handler, Route } from './call.ts';
import { Router } from './router.ts';

const handler = (): Handler => () => Promise.resolve();
const list = handler();
const inspect = handler();
const attach = handler();
const attachWs = handler();
const remove = handler();
const routes: readonly Route[] = [
  ['GET', '/containers/json', list],
  ['GET', '/containers/:id/json', inspect],
  ['GET', '/containers/:id/attach', attach],
  ['GET', '/containers/:id/attach/ws', attachWs],
  ['DELETE', '/images/:name', remove],
];
const router = new Router(routes);

function found(method: string, path: string): { handler: Handler; params: object; version: string } {
  const match = router.match(method, path);
  assert.equal(match.kind, 'found', path);
  return match.kind === 'found' ? match : assert.fail();
}

test('Router: fixed paths, parameters and the longest suffix', () => {
  assert.equal(found('GET', '/containers/json').handler, list);
  assert.deepEqual(found('GET', '/containers/abc/json').params, { id: 'abc' });
  assert.equal(found('GET', '/containers/abc/attach').handler, attach);
  assert.equal(found('GET', '/containers/abc/attach/ws').handler, attachWs);
  assert.deepEqual(found('GET', '/containers/json/json').params, { id: 'json' });
});

test('Router: a parameter takes slashes and escapes', () => {
  assert.deepEqual(found('DELETE', '/images/registry:5000/a/b:1').params, { name: 'registry:5000/a/b:1' });
  assert.deepEqual(found('DELETE', '/images/a%2Fb%20c').params, { name: 'a/b c' });
  assert.equal(router.match('DELETE', '/images/%zz').kind, 'badPath');
});

test('Router: versions', () => {
  assert.equal(found('GET', '/v1.24/containers/json').version, '1.24');
  assert.equal(found('GET', '/containers/json').version, '1.51');
  assert.deepEqual(router.match('GET', '/v1.52/containers/json'), { kind: 'tooNew', version: '1.52' });
  assert.deepEqual(router.match('GET', '/v2/containers/json'), { kind: 'tooNew', version: '2' });
  assert.deepEqual(router.match('GET', '/v1.23/containers/json'), { kind: 'tooOld', version: '1.23' });
  assert.equal(router.match('GET', '/v1.52/nothing').kind, 'notFound');
  for (const version of ['vx', 'v', 'v1.2.3', 'v..', 'v1.']) {
    assert.equal(router.match('GET', `/${version}/containers/json`).kind, 'notFound', version);
  }
});

test('Router: what is not in the table is not found', () => {
  const paths = ['/', '', '/containers', '/containers/', '/containers//json', '/containers/json/', '/x/y/z'];
  for (const path of paths) assert.equal(router.match('GET', path).kind, 'notFound', path);
  assert.equal(router.match('POST', '/containers/json').kind, 'notFound');
});

test('Router: any path gives an answer', () => {
  fc.assert(fc.property(fc.webPath(), (path) => router.match('GET', path).kind.length > 0));
});

test('Router: refuses routes that it cannot serve', () => {
  assert.throws(() => new Router([['GET', '/a/:b/c/:d', list]]), /unsupported route/);
  assert.throws(() => new Router([['GET', '/:a', list]]), /unsupported route/);
});
