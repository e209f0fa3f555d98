import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import type { Access } from '../access.ts';
import { RegistryError, unauthorized } from '../errors.ts';
import { LimitedAccess, networkOf } from './limited-access.ts';

/** Knows whoever says a name that is not "wrong". */
function access(): Access & { asked: number } {
  return {
    asked: 0,
    identify(request) {
      this.asked += 1;
      const name = request.headers.authorization;
      if (name === 'wrong') return Promise.reject(unauthorized('no', 'Basic realm="x"'));
      return Promise.resolve(name === undefined ? undefined : { name });
    },
    decide: () => ({ allowed: true }),
  };
}

function request(authorization?: string): IncomingMessage {
  const made = new IncomingMessage(new Socket());
  if (authorization !== undefined) made.headers.authorization = authorization;
  return made;
}

function tooMany(error: unknown): boolean {
  return error instanceof RegistryError && error.status === 429 && Number(error.headers['Retry-After']) >= 1;
}

test('LimitedAccess: each user and each unknown address has a rate of its own', async () => {
  const limited = new LimitedAccess(access(), { perSecond: 0.01, burst: 2 });
  for (const who of ['alice', 'bob', undefined]) {
    await limited.identify(request(who));
    await limited.identify(request(who));
    if (who !== undefined) await assert.rejects(limited.identify(request(who)), tooMany);
  }
  await assert.rejects(limited.identify(request()), tooMany);
});

test('LimitedAccess: wrong passwords use up the address, then they are not even checked', async () => {
  const inner = access();
  const limited = new LimitedAccess(inner, { perSecond: 0.01, burst: 2 });
  for (let n = 0; n < 2; n += 1) {
    await assert.rejects(limited.identify(request('wrong')), { name: 'RegistryError', status: 401 });
  }
  assert.equal(inner.asked, 2);
  await assert.rejects(limited.identify(request('wrong')), tooMany);
  await assert.rejects(limited.identify(request('alice')), tooMany);
  assert.equal(inner.asked, 2);
});

test('networkOf: IPv4 addresses as they are, IPv6 by their /64', () => {
  assert.equal(networkOf('192.0.2.1'), '192.0.2.1');
  assert.equal(networkOf('::ffff:192.0.2.1'), '192.0.2.1');
  assert.equal(networkOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
  assert.equal(networkOf('2001:DB8::6'), '2001:db8:0:0::/64');
  assert.equal(networkOf('::1'), '0:0:0:0::/64');
  assert.equal(networkOf('fe80::1%eth0'), 'fe80:0:0:0::/64');
});
