import { notFound } from '#/base/errors.ts';
import type { ImageRuntimeConfig, ImageConfig as OciImageConfig } from '#/oci/image-config.ts';
import { formatPlatform, type Platform, platformRank } from '#/oci/platform.ts';
import { familiarString } from '#/oci/reference.ts';
import type { ImageParts, ImageRecord } from '#/storage/images/record.ts';
import { zeroTime } from '#/wire/container-inspect.ts';
import type { ImageConfig, ImageHistoryItem, ImageInspect } from '#/wire/images.ts';

/** The image that `text` names; throws `notFound` when it is for another platform than `platform`. */
export function findFor({ images }: ImageParts, text: string, platform: Platform | undefined): ImageRecord {
  const record = images.find(text);
  const own = platformOf(record.config);
  if (platform === undefined || platformRank(platform, own) > 0) return record;
  throw notFound(platformMismatch(text, own, platform));
}

/** Docker's words for an image that is for another platform than the one that is wanted. */
export function platformMismatch(text: string, own: Platform, wanted: Platform): string {
  return `image with reference ${text} was found but its platform (${formatPlatform(own)}) does not match the specified platform (${formatPlatform(wanted)})`;
}

/** The platform that an image's configuration states. */
export function platformOf({ os, architecture, variant, osVersion }: OciImageConfig): Platform {
  return { os: os === '' ? 'linux' : os, architecture, variant, osVersion };
}

/** `docker image inspect`. `driver` is the storage driver's name. */
export function inspectImage({ images }: ImageParts, record: ImageRecord, driver: string): ImageInspect {
  const { id, config, parent, size, tagged } = record;
  const names = images.namesOf(id);
  const lastComment = config.history.at(-1)?.comment ?? '';
  return {
    Id: id,
    RepoTags: names.filter(({ digest }) => digest === undefined).map(familiarString),
    RepoDigests: names.filter(({ digest }) => digest !== undefined).map(familiarString),
    Parent: parent ?? '',
    Comment: config.comment === '' ? lastComment : config.comment,
    ...(config.created === undefined ? {} : { Created: config.created }),
    DockerVersion: config.dockerVersion,
    Author: config.author,
    Config: runtimeConfig(config.config ?? {}),
    Architecture: config.architecture,
    ...(config.variant === '' ? {} : { Variant: config.variant }),
    Os: config.os === '' ? 'linux' : config.os,
    ...(config.osVersion === '' ? {} : { OsVersion: config.osVersion }),
    Size: size,
    GraphDriver: { Data: null, Name: driver },
    RootFS: { Type: 'layers', ...(config.diffIds.length === 0 ? {} : { Layers: config.diffIds }) },
    Metadata: { LastTagTime: tagged ?? zeroTime },
  };
}

/** `docker history`, newest first. Sizes belong to the steps that made a layer, in the order of the layers. */
export function historyOf({ images, layers }: ImageParts, record: ImageRecord): ImageHistoryItem[] {
  const sizes = record.chainId === undefined ? [] : layers.chain(record.chainId).map(({ size }) => size);
  let next = 0;
  const items = record.config.history
    .map((entry) => ({
      Comment: entry.comment,
      Created: entry.created === undefined ? 0 : Math.floor(Date.parse(entry.created) / 1000),
      CreatedBy: entry.createdBy,
      Id: '<missing>',
      Size: entry.emptyLayer ? 0 : (sizes[next++] ?? 0),
      Tags: null as string[] | null,
    }))
    .toReversed();
  // Parents that are here, too, made the earlier steps.
  let maker: ImageRecord | undefined = record;
  for (const item of items) {
    if (maker === undefined) break;
    const tags = images.namesOf(maker.id).filter(({ digest }) => digest === undefined);
    item.Id = maker.id;
    item.Tags = tags.length === 0 ? null : tags.map(familiarString);
    maker = maker.parent === undefined ? undefined : images.get(maker.parent);
  }
  return items;
}

function runtimeConfig(config: ImageRuntimeConfig): ImageConfig {
  const { ArgsEscaped, ExposedPorts, Healthcheck, Shell, StopSignal } = config;
  return {
    ...(ArgsEscaped === true ? { ArgsEscaped } : {}),
    Cmd: config.Cmd ?? null,
    Entrypoint: config.Entrypoint ?? null,
    Env: config.Env ?? null,
    ...(Object.keys(ExposedPorts ?? {}).length > 0 && ExposedPorts !== undefined ? { ExposedPorts } : {}),
    ...(Healthcheck === undefined ? {} : { Healthcheck }),
    Labels: config.Labels ?? null,
    OnBuild: config.OnBuild ?? null,
    ...(Shell === undefined || Shell.length === 0 ? {} : { Shell }),
    ...(StopSignal === undefined || StopSignal === '' ? {} : { StopSignal }),
    User: config.User ?? '',
    Volumes: config.Volumes ?? null,
    WorkingDir: config.WorkingDir ?? '',
  };
}
