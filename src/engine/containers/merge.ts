import { invalid } from '#/base/errors.ts';
import type { ImageRuntimeConfig } from '#/oci/image-config.ts';
import type { ContainerConfig, HealthConfig } from '#/wire/containers.ts';
import { clean } from './mount-plan.ts';

/** Completes a create request from the image's config, by Docker's rules: the request wins, lists of names are joined. */
export function mergeImageConfig(request: ContainerConfig, image: ImageRuntimeConfig): ContainerConfig {
  const entrypoint = request.Entrypoint ?? null;
  const ownEntrypoint = entrypoint !== null && entrypoint.length > 0;
  const cmd = request.Cmd ?? null;
  return {
    ...request,
    User: request.User === '' ? (image.User ?? '') : request.User,
    ...optional('ExposedPorts', joinKeys(image.ExposedPorts, request.ExposedPorts)),
    Env: joinEnv(image.Env ?? null, request.Env ?? []),
    // A request with an entrypoint of its own does not get the image's arguments.
    Cmd: cmd !== null && cmd.length > 0 ? cmd : ownEntrypoint ? cmd : (image.Cmd ?? null),
    Entrypoint:
      entrypoint === null || entrypoint.length === 0 ? (image.Entrypoint ?? null) : resetIfEmpty(entrypoint),
    Volumes: joinKeys(image.Volumes, request.Volumes),
    WorkingDir: request.WorkingDir === '' ? (image.WorkingDir ?? '') : clean(request.WorkingDir),
    Labels: { ...image.Labels, ...request.Labels },
    ...optional(
      'StopSignal',
      request.StopSignal === undefined || request.StopSignal === '' ? image.StopSignal : request.StopSignal,
    ),
    ...optional('Healthcheck', mergeHealth(request.Healthcheck, image.Healthcheck)),
    ...optional('Shell', request.Shell ?? image.Shell),
  };
}

/** The program and arguments that a merged config runs; throws if there are none. */
export function commandOf(config: ContainerConfig): { path: string; args: string[] } {
  const [path, ...args] = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  if (path === undefined || path === '') throw invalid('no command specified');
  return { path, args };
}

/** `--entrypoint ""` arrives as [""] and means: none, not even the image's. */
function resetIfEmpty(entrypoint: readonly string[]): string[] | null {
  return entrypoint.length === 1 && entrypoint[0] === '' ? null : [...entrypoint];
}

function joinKeys(
  image: Readonly<Record<string, object>> | null | undefined,
  request: Readonly<Record<string, object>> | null | undefined,
): Record<string, Record<string, never>> | null {
  const keys = [...Object.keys(image ?? {}), ...Object.keys(request ?? {})];
  if (keys.length === 0) return null;
  return Object.fromEntries(keys.toSorted().map((key) => [key, {}]));
}

/** The image's variables that the request does not set come behind the request's own. */
function joinEnv(image: readonly string[] | null, request: readonly string[]): readonly string[] | null {
  if (request.length === 0 || image === null) return request.length === 0 ? image : request;
  const own = new Set(request.map(nameOf));
  return [...request, ...image.filter((entry) => !own.has(nameOf(entry)))];
}

function nameOf(entry: string): string {
  return entry.split('=', 1)[0] ?? '';
}

function mergeHealth(
  request: HealthConfig | null | undefined,
  image: HealthConfig | null | undefined,
): HealthConfig | undefined {
  if (!request) return image ?? undefined;
  if (!image) return request;
  const test = request.Test ?? [];
  return {
    ...image,
    ...Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined && value !== 0)),
    Test: test.length > 0 ? test : (image.Test ?? []),
  };
}

function optional<K extends string, V>(key: K, value: V | null | undefined): { [k in K]?: V } {
  return value === undefined || value === null ? {} : ({ [key]: value } as { [k in K]: V });
}
