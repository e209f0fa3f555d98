import type { ImageInspect, ImageSummary } from '#/wire/images.ts';
import { compareVersions } from '#/wire/version.ts';

/** What a container's configuration has beyond an image's; old clients find it in images, too, always empty. */
const containerOnly = {
  Hostname: '',
  Domainname: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Image: '',
};
const emptyConfig = {
  ...containerOnly,
  User: '',
  Env: null,
  Cmd: null,
  Volumes: null,
  WorkingDir: '',
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
};

/** A listed image in the API version that the client speaks; version numbers are from the history of the Engine API. */
export function presentImageSummary({ Descriptor, ...summary }: ImageSummary, version: string): ImageSummary {
  const before = (other: string): boolean => compareVersions(version, other) < 0;
  const { Size: size, RepoTags: tags, RepoDigests: digests } = summary;
  return {
    ...summary,
    ...(Descriptor === undefined || before('1.48') ? {} : { Descriptor }),
    ...(before('1.51') ? { Containers: -1 } : {}),
    ...(before('1.44') && size > 0 ? { VirtualSize: size } : {}),
    ...(before('1.43') ? oldNames(tags ?? [], digests ?? []) : {}),
  };
}

/** An image among what occupies disk, in the API version that the client speaks; without names its lists are null. */
export function presentImageUsage(summary: ImageSummary, version: string): ImageSummary {
  const { Size: size, RepoTags: tags, RepoDigests: digests } = summary;
  return {
    ...summary,
    ...(compareVersions(version, '1.44') < 0 && size > 0 ? { VirtualSize: size } : {}),
    ...nullNames(tags ?? [], digests ?? []),
  };
}

/** An inspected image in the API version that the client speaks. */
export function presentImageInspect({ Descriptor, ...image }: ImageInspect, version: string): object {
  const before = (other: string): boolean => compareVersions(version, other) < 0;
  return {
    ...image,
    ...(Descriptor === undefined || before('1.48') ? {} : { Descriptor }),
    ...(before('1.44') ? { Created: image.Created ?? '0001-01-01T00:00:00Z' } : {}),
    ...(before('1.44') && image.Size > 0 ? { VirtualSize: image.Size } : {}),
    ...(before('1.45') ? { ContainerConfig: emptyConfig } : {}),
    ...(before('1.50') ? { Config: { ...containerOnly, ...image.Config } } : {}),
  };
}

function oldNames(
  tags: readonly string[],
  digests: readonly string[],
): Pick<ImageSummary, 'RepoTags' | 'RepoDigests'> {
  if (tags.length + digests.length === 0)
    return { RepoTags: ['<none>:<none>'], RepoDigests: ['<none>@<none>'] };
  return nullNames(tags, digests);
}

function nullNames(
  tags: readonly string[],
  digests: readonly string[],
): Pick<ImageSummary, 'RepoTags' | 'RepoDigests'> {
  return { RepoTags: tags.length === 0 ? null : tags, RepoDigests: digests.length === 0 ? null : digests };
}
