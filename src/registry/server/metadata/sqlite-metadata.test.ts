import { scratchDir } from '#tests/scratch-dir.ts';
import { openLocalContent } from '../content.ts';
import { metadataContract } from './metadata.contract.ts';

metadataContract('SqliteMetadata', async () => {
  const scratch = scratchDir();
  const content = await openLocalContent({ root: scratch.path });
  return {
    storage: content.storage,
    metadata: content.metadata,
    [Symbol.asyncDispose]: async () => {
      await content[Symbol.asyncDispose]();
      scratch[Symbol.dispose]();
    },
  };
});
