import { humanSize } from '#/base/units.ts';
import type { ImageSummary } from '#/wire/images.ts';
import { familiarImage, truncateId } from './ids.ts';
import type { ListKind } from './list.ts';
import { ago, localTime } from './times.ts';

/** One row: an image under one of its names. */
export interface ImageRow {
  readonly image: ImageSummary;
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

const none = '<none>';

/** The columns of a listing of images; `truncate` is off with --no-trunc. */
export function imageKind({ truncate }: { truncate: boolean }): ListKind<ImageRow> {
  const column = (header: string, value: (row: ImageRow) => string) => ({ header, value });
  return {
    type: '*formatter.imageContext',
    columns: {
      ID: column('IMAGE ID', ({ image }) => (truncate ? truncateId(image.Id) : image.Id)),
      Repository: column('REPOSITORY', ({ repository }) => repository),
      Tag: column('TAG', ({ tag }) => tag),
      Digest: column('DIGEST', ({ digest }) => digest),
      CreatedSince: column('CREATED', ({ image }) => ago(image.Created)),
      CreatedAt: column('CREATED AT', ({ image }) => localTime(image.Created)),
      Size: column('SIZE', ({ image }) => humanSize(image.Size, 3)),
      Containers: column('CONTAINERS', ({ image }) =>
        image.Containers === -1 ? 'N/A' : String(image.Containers),
      ),
      VirtualSize: column('SIZE', ({ image }) => humanSize(image.Size)),
      SharedSize: column('SHARED SIZE', ({ image }) =>
        image.SharedSize === -1 ? 'N/A' : humanSize(image.SharedSize),
      ),
      UniqueSize: column('UNIQUE SIZE', ({ image }) =>
        image.Size === -1 || image.SharedSize === -1 ? 'N/A' : humanSize(image.Size - image.SharedSize),
      ),
    },
  };
}

/** Tells whether an image has no name at all. */
export function isDangling({ RepoTags, RepoDigests }: ImageSummary): boolean {
  const isEmpty = (names: readonly string[] | null, placeholder: string): boolean =>
    names === null || names.every((name) => name === placeholder);
  return isEmpty(RepoTags, `${none}:${none}`) && isEmpty(RepoDigests, `${none}@${none}`);
}

/** The rows of an image: one for each tag (and digest, with `digests`), one for each repository known by digest only. */
export function imageRows(image: ImageSummary, { digests }: { digests: boolean }): ImageRow[] {
  const tags = (image.RepoTags ?? []).filter((tag) => tag !== `${none}:${none}`);
  const byDigest = (image.RepoDigests ?? []).filter((digest) => digest !== `${none}@${none}`);
  if (tags.length === 0 && byDigest.length === 0)
    return [{ image, repository: none, tag: none, digest: none }];
  const digestsOf = new Map<string, string[]>();
  for (const text of byDigest) {
    const [name = '', digest = ''] = text.split('@');
    const repository = familiarImage(name);
    digestsOf.set(repository, [...(digestsOf.get(repository) ?? []), digest]);
  }
  const rows: ImageRow[] = [];
  const tagged = new Set<string>();
  for (const text of tags) {
    const at = text.lastIndexOf(':');
    const repository = familiarImage(text.slice(0, at));
    const tag = text.slice(at + 1);
    tagged.add(repository);
    const shown = digests ? (digestsOf.get(repository) ?? [none]) : [none];
    rows.push(...shown.map((digest) => ({ image, repository, tag, digest })));
  }
  for (const [repository, known] of digestsOf) {
    if (tagged.has(repository)) continue;
    const shown = digests ? known : [''];
    rows.push(...shown.map((digest) => ({ image, repository, tag: none, digest })));
  }
  return rows;
}
