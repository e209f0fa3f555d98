import { scratchDir } from '#tests/scratch-dir.ts';
import { openLocalContent } from '../content.ts';
import { metadataContract } from './metadata.contract.ts';

metadataContract('SqliteMetadata', async () => {
  const dir = scratchDir();
  const content = await openLocalContent({ root: dir.path });
  return {
    storage: content.storage,
    metadata: content.metadata,
    async [Symbol.asyncDispose]() {
      await content[Symbol.asyncDispose]();
      dir[Symbol.dispose]();
    },
  };
});
