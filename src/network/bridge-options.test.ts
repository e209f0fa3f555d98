import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isKind } from '#/base/errors.ts';
import { parseBridgeOptions } from './bridge-options.ts';

const o = 'com.docker.network.';

test('parseBridgeOptions: defaults', () => {
  assert.deepEqual(parseBridgeOptions({ 'com.example.unknown': 'x' }), {
    link: undefined,
    icc: true,
    masquerade: true,
    hostIp: '0.0.0.0',
    mtu: undefined,
    interfacePrefix: 'eth',
  });
});

test('parseBridgeOptions: reads each option', () => {
  const options = {
    [`${o}bridge.name`]: 'br9',
    [`${o}bridge.enable_icc`]: 'false',
    [`${o}bridge.enable_ip_masquerade`]: '0',
    [`${o}bridge.host_binding_ipv4`]: '127.0.0.1',
    [`${o}bridge.gateway_mode_ipv4`]: 'nat',
    [`${o}driver.mtu`]: '1400',
    [`${o}container_iface_prefix`]: 'net',
  };
  assert.deepEqual(parseBridgeOptions(options), {
    link: 'br9',
    icc: false,
    masquerade: false,
    hostIp: '127.0.0.1',
    mtu: 1400,
    interfacePrefix: 'net',
  });
});

test('parseBridgeOptions: a wrong value is named with its option', () => {
  const cases = [
    ['bridge.name', 'eth0 up'],
    ['bridge.name', 'all'],
    ['bridge.enable_icc', 'maybe'],
    ['bridge.host_binding_ipv4', '::1'],
    ['driver.mtu', 'x'],
    ['driver.mtu', '67'],
    ['driver.mtu', '70000'],
    ['container_iface_prefix', 'a/b'],
  ] as const;
  for (const [key, value] of cases) {
    assert.throws(
      () => parseBridgeOptions({ [o + key]: value }),
      (error) => isKind(error, 'invalid') && error.message.includes(o + key) && error.message.includes(value),
      `${key}=${value}`,
    );
  }
});

test('parseBridgeOptions: what would change who can reach whom is refused, not ignored', () => {
  assert.throws(
    () => parseBridgeOptions({ [`${o}bridge.gateway_mode_ipv4`]: 'routed' }),
    (error) => isKind(error, 'notImplemented'),
  );
});
