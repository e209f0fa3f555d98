import type { CacheDocument } from '#/wire/build.ts';
import { parseAttributes } from './attributes.ts';

/** Where `--cache-from` and `--cache-to` point; an image alone is `type=registry,ref=IMAGE`. Throws an Error. */
export function parseCacheLocations(
  flag: 'cache-from' | 'cache-to',
  texts: readonly string[],
): CacheDocument[] {
  return texts
    .filter((text) => text !== '')
    .flatMap((text): CacheDocument[] => {
      if (!text.includes('=')) {
        return text.split(',').map((ref) => ({ Type: 'registry', Attributes: { ref } }));
      }
      const { type, values } = parseAttributes(flag, text);
      if (type === '') throw new Error(`type is required in --${flag} ${JSON.stringify(text)}`);
      return [{ Type: type, Attributes: values }];
    });
}
