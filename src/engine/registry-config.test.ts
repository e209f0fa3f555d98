import assert from 'node:assert/strict';
import { test } from 'node:test';
import { registryConfig } from './registry-config.ts';

test('registryConfig: an index for each insecure host, ranges with those of the machine itself', () => {
  assert.deepEqual(registryConfig({ registryMirrors: [], insecureRegistries: [] }), {
    IndexConfigs: { 'docker.io': { Mirrors: [], Name: 'docker.io', Official: true, Secure: true } },
    InsecureRegistryCIDRs: ['::1/128', '127.0.0.0/8'],
    Mirrors: null,
  });
  assert.deepEqual(
    registryConfig({ registryMirrors: ['http://m/'], insecureRegistries: ['r:5', '10.0.0.0/8'] }),
    {
      IndexConfigs: {
        'r:5': { Mirrors: [], Name: 'r:5', Official: false, Secure: false },
        'docker.io': { Mirrors: ['http://m/'], Name: 'docker.io', Official: true, Secure: true },
      },
      InsecureRegistryCIDRs: ['10.0.0.0/8', '::1/128', '127.0.0.0/8'],
      Mirrors: ['http://m/'],
    },
  );
});
