import { invalid, messageOf } from '#/base/errors.ts';
import { normalizePlatform, type Platform } from '#/oci/platform.ts';
import type { Call } from '../call.ts';
import { DecodeError, type Decoder, string, struct } from './json.ts';
import { jsonSyntaxProblem } from './json-syntax.ts';

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
  return text === '' ? undefined : parsePlatformJson(text);
}

/** The parameter `platforms`, which may be there several times. Throws `invalid`. */
export function platformsParam({ query }: Call): Platform[] {
  return query.all('platforms').map(parsePlatformJson);
}

function parsePlatformJson(text: string): Platform {
  const { os, architecture, variant, 'os.version': osVersion } = decode(text);
  if (os === '' || architecture === '') throw invalid('both OS and Architecture must be provided');
  return normalizePlatform({ os, architecture, variant, osVersion });
}

function decode(text: string): PlatformBody {
  try {
    const value: unknown = JSON.parse(text);
    return platformBody(value, typeof value === 'object' && !Array.isArray(value) ? 'Platform' : '');
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof DecodeError)) throw error;
    const problem = (error instanceof SyntaxError ? jsonSyntaxProblem(text) : undefined) ?? messageOf(error);
    throw invalid(`failed to parse platform: ${problem}`, error);
  }
}
