import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePlatform } from '#/oci/platform.ts';
import { openImages } from '#tests/images.ts';
import { storeIndex } from '#tests/indexes.ts';
import { contentToPush } from './push-selection.ts';

test('contentToPush: an index goes as a whole, or its image for a platform, or the only one that is here', async () => {
  await using s = await openImages();
  const { images, id } = await storeIndex(s, ['a:1'], {
    platforms: ['linux/amd64', 'linux/arm64', 'linux/s390x'],
  });
  const chosen = (platform?: string): string => {
    const content = contentToPush(
      s.images,
      s.images.find('a:1'),
      platform === undefined ? undefined : parsePlatform(platform),
    );
    if (content.kind === 'index') return content.index.id;
    const { image, manifest, insteadOf } = content;
    assert.equal(manifest, image.manifest);
    return `${image.id}${insteadOf === undefined ? '' : ' alone'}`;
  };
  const [amd, arm, s390] = [...images.values()].map((image) => image.id);
  assert.ok(amd && arm && s390);
  assert.equal(chosen(), id);
  assert.equal(chosen('linux/arm64'), arm);
  await s.images.delete(s390);
  assert.equal(chosen(), id);
  await s.images.delete(amd);
  assert.equal(chosen(), `${arm} alone`);
  assert.equal(chosen('linux/arm64'), arm);
});
