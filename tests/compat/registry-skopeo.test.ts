import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { hexOf } from '#/oci/digest.ts';
import { writeOciLayout } from '#tests/oci-layout.ts';
import { startRegistry } from '#tests/registry-server.ts';
import { scratchDir } from '#tests/scratch-dir.ts';

const run = promisify(execFile);

/** Debian's skopeo, without its policy file and with plain HTTP. */
async function skopeo(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('skopeo', ['--insecure-policy', ...args], { timeout: 60_000 });
  return stdout;
}

const [from, to] = ['--src-tls-verify=false', '--dest-tls-verify=false'];

test('registry: skopeo pushes an image for several platforms and pulls the same bytes', async () => {
  await using registry = await startRegistry();
  using scratch = scratchDir();
  const digests = await writeOciLayout(scratch.join('layout'), ['amd64', 'arm64', 's390x']);
  const image = `docker://${registry.host}/team/multi:latest`;
  await skopeo('copy', '--all', to, `oci:${scratch.join('layout')}:latest`, image);
  await skopeo('copy', '--all', from, image, `oci:${scratch.join('back')}:latest`);
  assert.deepEqual(readdirSync(scratch.join('back', 'blobs', 'sha256')).sort(), digests.map(hexOf).sort());
});

test('registry: skopeo copies between repositories by mounts, converts to Docker manifests, lists and deletes', async () => {
  await using registry = await startRegistry();
  using scratch = scratchDir();
  await writeOciLayout(scratch.join('layout'), ['amd64', 'arm64']);
  const multi = `docker://${registry.host}/multi:latest`;
  await skopeo('copy', '--all', to, `oci:${scratch.join('layout')}:latest`, multi);
  await skopeo('copy', '--all', from, to, multi, `docker://${registry.host}/copied/to:v1`);
  assert.ok(registry.facts.some(({ kind }) => kind === 'blobMounted'));
  const docker = `docker://${registry.host}/docker:v2`;
  await skopeo('copy', '--format', 'v2s2', from, to, multi, docker);
  const raw = JSON.parse(await skopeo('inspect', '--raw', '--tls-verify=false', docker)) as {
    mediaType: string;
  };
  assert.equal(raw.mediaType, 'application/vnd.docker.distribution.manifest.v2+json');
  const listed = await skopeo('list-tags', '--tls-verify=false', `docker://${registry.host}/copied/to`);
  assert.deepEqual((JSON.parse(listed) as { Tags: string[] }).Tags, ['v1']);
  await skopeo('delete', '--tls-verify=false', `docker://${registry.host}/copied/to:v1`);
  await assert.rejects(
    skopeo('inspect', '--raw', '--tls-verify=false', `docker://${registry.host}/copied/to:v1`),
  );
});
