import assert from 'node:assert/strict';
import { test } from 'node:test';
import { greeting } from './greeting.js';

test('greeting: names who is greeted', () => assert.equal(greeting('you'), 'Hello, you'));
