/** Bytes of a name; what file systems take. */
const maxBytes = 255;
/** As BuildKit calls what has no name. */
const unnamed = '__unnamed__';

/** What a file from a URL is called: the last part of the URL's path, so that it is known before anything is asked for. */
export function nameFromUrl(url: URL): string {
  return safeName(decoded(url.pathname)) ?? unnamed;
}

/** One component of a path that means a file inside of whatever folder it is put into. */
function safeName(path: string): string | undefined {
  const name = path.replace(/\/+$/, '').replace(/^.*[/\\]/s, '');
  const isUsable = name !== '' && name !== '.' && name !== '..' && !/\p{Cc}/u.test(name);
  return isUsable && Buffer.byteLength(name) <= maxBytes ? name : undefined;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
