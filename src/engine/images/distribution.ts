import { parseImageConfig, platformOf } from '#/oci/image-config.ts';
import { parseJson } from '#/oci/json.ts';
import { maxManifestBytes, parseManifest } from '#/oci/manifest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import type { Platform } from '#/oci/platform.ts';
import type { Reference } from '#/oci/reference.ts';
import { fetchConfig, fetchTop, type Sources, type StoredDocument } from '#/registry/client/resolve.ts';
import type { DistributionInspect } from '#/wire/registry.ts';
import { wirePlatform } from './descriptors.ts';

/** What a name means at its registry, and for which platforms. Something else than an image has none. */
export async function inspectRemote(
  sources: Sources,
  { tag, digest }: Reference,
  { signal }: { signal: AbortSignal },
): Promise<DistributionInspect> {
  const top = await fetchTop(sources, digest ?? tag ?? 'latest', { signal, expectKnown: false });
  const { mediaType, digest: own, size } = top.descriptor;
  const platforms = await platformsOf(sources, top, { signal });
  return {
    Descriptor: { mediaType, digest: own, size },
    Platforms: platforms?.map(wirePlatform) ?? null,
  };
}

async function platformsOf(
  sources: Sources,
  { descriptor, bytes }: StoredDocument,
  options: { signal: AbortSignal },
): Promise<Platform[] | undefined> {
  if (isArtifact(bytes)) return undefined;
  const document = parseManifest(bytes, descriptor.mediaType);
  if (document.kind === 'index') return document.manifests.flatMap(({ platform }) => platform ?? []);
  return [platformOf(parseImageConfig(await fetchConfig(sources, document.config, options)))];
}

/** A manifest of something that is not an image. */
function isArtifact(bytes: Buffer): boolean {
  const document = parseJson(bytes, { what: 'manifest', maxBytes: maxManifestBytes });
  const type = document.get('config').optional((config) => config.get('mediaType').string());
  return type !== undefined && type !== mediaTypes.config && type !== mediaTypes.dockerConfig;
}
