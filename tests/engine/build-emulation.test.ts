import assert from 'node:assert/strict';
import { chmodSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { emulatedArchitectures } from '#/kernel/binfmt.ts';
import { parsePlatform } from '#/oci/platform.ts';
import { BuildBox } from '#tests/builds.ts';
import { emulationTools, registerEmulator } from '#tests/emulation.ts';

const tools = emulationTools();
const skip = tools === undefined && 'there is no emulator (see scripts/debian-emulation)';
const platforms = [parsePlatform('linux/arm64')];
const box = await BuildBox.open();
after(() => box[Symbol.asyncDispose]());

const dockerfile = 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "uname", "-m"]';

test('build emulation: a step for another platform runs, and without an emulator it is told what is missing', {
  skip,
}, async () => {
  assert.ok(tools);
  const busybox = join(box.dir, 'context/busybox');
  copyFileSync(tools.busybox, busybox);
  chmodSync(busybox, 0o755);
  if (!emulatedArchitectures().includes('arm64')) {
    await assert.rejects(box.build(dockerfile, { platforms }), {
      message: /^process "\/bin\/busybox uname -m" did not complete successfully/,
      hint: /^Programs for linux\/arm64 do not run here: register an emulator/,
    });
  }
  using _emulator = registerEmulator(tools);
  const built = await box.build(dockerfile, { name: 'emulated', platforms });
  assert.equal(built.log, 'aarch64\n');
  assert.equal(box.engine.backend.images.inspect('emulated').Architecture, 'arm64');
});
