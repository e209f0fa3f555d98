import assert from 'node:assert/strict';
import { test } from 'node:test';
import { proxyFor } from './proxies.ts';

const proxies = { http: 'http://plain.example', https: 'http://secure.example' };

test('proxyFor takes the proxy of the scheme', () => {
  assert.equal(proxyFor(new URL('http://reg.example/'), { ...proxies, no: '' }), proxies.http);
  assert.equal(proxyFor(new URL('https://reg.example/'), { ...proxies, no: '' }), proxies.https);
});

test('proxyFor goes directly to this machine, and to what is exempt', () => {
  for (const [url, no, direct] of [
    ['http://localhost:5000/', '', true],
    ['http://127.1.2.3/', '', true],
    ['http://[::1]:5000/', '', true],
    ['https://reg.example/', '*', true],
    ['https://reg.example/', 'reg.example', true],
    ['https://REG.example/', 'other, Reg.Example', true],
    ['https://a.reg.example/', 'reg.example', true],
    ['https://areg.example/', 'reg.example', false],
    ['https://reg.example/', '.example', true],
    ['https://reg.example/', '*.example', true],
    ['https://example/', '.example', false],
    ['https://reg.example/', 'reg.example:443', true],
    ['https://reg.example:5000/', 'reg.example:443', false],
    ['https://10.1.2.3/', '10.0.0.0/8', true],
    ['https://11.1.2.3/', '10.0.0.0/8', false],
    ['https://10.1.2.3/', '10.1.2.3', true],
    ['https://[fd00::1]/', 'fd00::/8', true],
    ['https://[fd00::1]:5000/', '[fd00::1]:5000', true],
    ['https://[fd00::1]/', 'fd00::1', true],
    ['https://reg.example/', ', ,', false],
  ] as const) {
    assert.equal(proxyFor(new URL(url), { ...proxies, no }) === '', direct, `${url} with "${no}"`);
  }
});
