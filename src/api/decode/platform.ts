import { invalid, messageOf } from '#/base/errors.ts';
import { normalizePlatform, type Platform } from '#/oci/platform.ts';
import type { Call } from '../call.ts';
import { DecodeError, type Decoder, string, struct } from './json.ts';

interface PlatformBody {
  readonly architecture: string;
  readonly os: string;
  readonly 'os.version': string;
  readonly variant: string;
}

const platformBody: Decoder<PlatformBody> = struct('v1.Platform', {
  architecture: string,
  os: string,
  'os.version': string,
  variant: string,
});

/** The parameter `platform` as JSON, undefined if it is absent. Throws `invalid`. */
export function platformParam({ query }: Call): Platform | undefined {
  const text = query.text('platform');
  if (text === '') return undefined;
  const { os, architecture, variant, 'os.version': osVersion } = decode(text);
  if (os === '' || architecture === '') throw invalid('both OS and Architecture must be provided');
  return normalizePlatform({ os, architecture, variant, osVersion });
}

function decode(text: string): PlatformBody {
  try {
    return platformBody(JSON.parse(text), '');
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof DecodeError)) throw error;
    throw invalid(`failed to parse platform: ${messageOf(error)}`, error);
  }
}
