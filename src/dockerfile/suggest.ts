/** Edits that a suggestion may be away. */
const maxDistance = 2;
/** Longer words are not worth the work. */
const maxLength = 100;

/** Of `options` the one that was probably meant by `word`; undefined if none is near, or if `word` is one of them. */
function nearest(word: string, options: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = maxDistance + 1;
  for (const option of options) {
    if (option === word) return undefined;
    const distance = editDistance(word, option);
    if (distance < least) {
      best = option;
      least = distance;
    }
  }
  return best;
}

/** `message (did you mean x?)`, if something is near to `word`. */
export function withSuggestion(message: string, word: string, options: Iterable<string>): string {
  const found = nearest(word, options);
  return found === undefined ? message : `${message} (did you mean ${found}?)`;
}

/** Insertions, deletions and replacements between two words (Levenshtein). */
function editDistance(from: string, to: string): number {
  if (Math.abs(from.length - to.length) > maxDistance || from.length > maxLength) return maxDistance + 1;
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
