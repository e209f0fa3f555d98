import type { ImageRuntimeConfig } from '#/oci/image-config.ts';
import { familiarString } from '#/oci/reference.ts';
import type { ImageParts, ImageRecord, NamedImage } from '#/storage/images/record.ts';
import { zeroTime } from '#/wire/container-inspect.ts';
import type { ImageConfig, ImageHistoryItem, ImageInspect } from '#/wire/images.ts';
import { indexDescriptor, partDescriptor } from './descriptors.ts';

/** What is to be known of an image. */
export interface InspectOptions {
  /** The storage driver's name. */
  readonly driver: string;
  /** Of an index, the image rather than the whole. */
  readonly isPart: boolean;
}

/** `docker image inspect` of what a name stands for. */
export function inspectImage(
  { images }: ImageParts,
  named: NamedImage,
  { driver, isPart }: InspectOptions,
): ImageInspect {
  const { image, index } = named;
  const { config, parent, size } = image;
  const { tagged } = index ?? image;
  const names = images.namesOf(named.id);
  const lastComment = config.history.at(-1)?.comment ?? '';
  return {
    Id: isPart ? image.id : named.id,
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
    ...(index === undefined
      ? {}
      : { Descriptor: isPart ? partDescriptor(index, image) : indexDescriptor(index) }),
  };
}

/** `docker history`, newest first. Sizes belong to the steps that made a layer, in the order of the layers. */
export function historyOf({ images, layers }: ImageParts, named: NamedImage): ImageHistoryItem[] {
  const { image: record } = named;
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
    const id = maker === record ? named.id : maker.id;
    const tags = images.namesOf(id).filter(({ digest }) => digest === undefined);
    item.Id = id;
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
