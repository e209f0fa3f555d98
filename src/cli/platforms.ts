import { parsePlatform } from '#/oci/platform.ts';

/**
 * A platform such as `linux/arm64` as the API wants it in queries: JSON of the image specification's `platform`.
 * `undefined` for an empty text. Throws `invalid` for what is no platform.
 */
export function platformQuery(text: string): string | undefined {
  if (text === '') return undefined;
  const { architecture, os, variant } = parsePlatform(text);
  return JSON.stringify({ architecture, os, ...(variant !== '' && { variant }) });
}
