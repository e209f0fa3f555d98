import { isKind, notFound } from '#/base/errors.ts';
import type { Digest } from '#/oci/digest.ts';
import { canonicalName, canonicalString, parseAnyReference, type Reference } from '#/oci/reference.ts';
import type { ImageStore } from '../images.ts';
import type { NamedImage } from './record.ts';
import type { SaveItem } from './save.ts';

/**
 * What the names in a request mean: a name with a tag, a repository (all its tags), or an identifier, which brings no
 * name along. An image appears once, where it was named first. Throws `notFound` in the words of Docker.
 */
export function selectImages(images: ImageStore, texts: readonly string[]): SaveItem[] {
  const selected = new Map<Digest, Map<string, Reference>>();
  const select = (id: Digest, reference?: Reference): void => {
    const names = selected.get(id) ?? new Map<string, Reference>();
    selected.set(id, names);
    if (reference?.tag !== undefined) names.set(canonicalString(reference), reference);
  };
  for (const text of texts) {
    const meaning = parseAnyReference(text);
    const bare = typeof meaning !== 'string' && meaning.tag === undefined && meaning.digest === undefined;
    const tags = bare ? tagsOf(images, meaning) : [];
    for (const { id, reference } of tags) select(id, reference);
    if (tags.length > 0) continue;
    const { id } = findOrRefuse(images, text, meaning);
    const isName = typeof meaning !== 'string' && meaning.digest === undefined;
    select(id, isName && images.byName(meaning)?.id === id ? meaning : undefined);
  }
  return [...selected].map(([id, names]) => ({
    named: images.named(id) as NamedImage,
    names: [...names.values()],
  }));
}

function tagsOf(images: ImageStore, repository: Reference): { id: Digest; reference: Reference }[] {
  const name = canonicalName(repository);
  const all = images.all().flatMap(({ id }) => images.namesOf(id).map((reference) => ({ id, reference })));
  return all
    .filter(({ reference }) => reference.tag !== undefined && canonicalName(reference) === name)
    .toSorted((a, b) => ((a.reference.tag ?? '') < (b.reference.tag ?? '') ? -1 : 1));
}

/** Docker's words: here it does not add `latest` to a name, and does not repeat one with a tag or digest. */
function findOrRefuse(images: ImageStore, text: string, meaning: Reference | string): NamedImage {
  try {
    return images.find(text);
  } catch (error) {
    if (!isKind(error, 'notFound')) throw error;
    const isComplete =
      typeof meaning !== 'string' && (meaning.tag !== undefined || meaning.digest !== undefined);
    throw notFound(isComplete ? 'reference does not exist' : `No such image: ${text}`, error);
  }
}
