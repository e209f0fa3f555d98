import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { pieces } from '#/tar/tar-samples.ts';
import { until } from '#tests/until.ts';
import { undoForeign } from './foreign-compression.ts';

const text = Buffer.concat([Buffer.alloc(3_000_000, 'a text that repeats. '), randomBytes(500_000)]);

function packed(program: string): Buffer {
  return execFileSync(program, ['-zc'], { input: text, maxBuffer: 10_000_000 });
}

async function undone(data: Uint8Array, size?: number): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(await undoForeign(pieces(data, size))));
}

/** Programs that this process has started and that are still there. */
function children(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .flatMap((pid) => {
      try {
        const parent = / \S (\d+)/.exec(
          readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\)/s, ''),
        )?.[1];
        return parent === String(process.pid) ? [readFileSync(`/proc/${pid}/comm`, 'latin1').trim()] : [];
      } catch {
        // It has ended meanwhile.
        return [];
      }
    });
}

for (const name of ['xz', 'bzip2']) {
  test(`undoForeign: ${name} comes out as it went in, damaged and cut data is invalid`, async () => {
    const data = packed(name);
    assert.ok((await undone(data)).equals(text));
    assert.ok((await undone(data, 5000)).equals(text));
    const damaged = Buffer.from(data);
    damaged.fill(0x55, data.length - 300_000, data.length - 299_000);
    for (const bad of [damaged, data.subarray(0, data.length - 1000), data.subarray(0, 20)]) {
      await assert.rejects(undone(bad), { kind: 'invalid', message: new RegExp(`damaged ${name} data`) });
    }
  });

  test(`undoForeign: the ${name} program ends when nobody reads on or the source fails, and leaves nothing`, async () => {
    const data = packed(name);
    for await (const _ of await undoForeign(pieces(data, 10_000))) break;
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield data.subarray(0, 200_000);
      throw new Error('line cut');
    }
    await assert.rejects(async () => Array.fromAsync(await undoForeign(failing())), /line cut/);
    await until(() => !children().includes(name), { what: `the end of ${name}` });
  });
}

test('undoForeign: leaves everything else as it is', async () => {
  for (const data of [text, gzipSync(text), Buffer.from('abc'), Buffer.alloc(0)]) {
    assert.ok((await undone(data, 4)).equals(data));
  }
});
