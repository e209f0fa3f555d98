import { globMatcher } from './glob-match.ts';
import { globTokens } from './glob-tokens.ts';

/**
 * Tells of folders whether something in them may match a pattern; if it says no, nothing does. Compares what it can segment by
 * segment: all of them until one can match slashes.
 */
export function folderMatcher(
  pattern: string,
  options: { readonly folders: boolean },
): (folder: string) => boolean {
  const segments = pattern.split('/');
  const ends = segments.findIndex((segment) => options.folders && segment.includes('**'));
  const compared = ends < 0 ? segments.length - 1 : ends;
  // Slashes that are protected or in a class do not separate.
  const isSimple = !pattern.includes('\\/') && !globTokens(pattern, options).some(takesSlash);
  let matchers: ((folder: string) => boolean)[] | undefined;
  return (folder) => {
    if (!isSimple) return true;
    const parts = folder.split('/');
    if (ends < 0 && parts.length > compared) return false;
    matchers ??= segments.slice(0, compared).map((segment) => globMatcher(globTokens(segment, options)));
    return matchers.every((matches, depth) => {
      const part = parts[depth];
      return part === undefined || matches(part);
    });
  };
}

function takesSlash(token: ReturnType<typeof globTokens>[number]): boolean {
  return token.kind === 'class' && token.holds('/');
}
