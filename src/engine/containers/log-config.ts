import { EngineError, internal, invalid, isKind, messageOf, notImplemented } from '#/base/errors.ts';
import { parseBinarySize } from '#/base/units.ts';
import { LogRotation, type RotationLimits } from '#/runtime/log/rotation.ts';
import type { LogConfig } from '#/wire/containers.ts';
import type { ContainerRecord } from './model.ts';
import type { ContainerParts } from './parts.ts';

/** What becomes of a container's output. */
export type LogPlan =
  | { readonly kind: 'none' }
  /** Without limits the file grows for as long as the container writes. */
  | { readonly kind: 'file'; readonly limits: RotationLimits | undefined };

type Options = Readonly<Record<string, string>>;

const localOptions: readonly string[] = ['mode', 'max-buffer-size', 'max-size', 'max-file', 'compress'];
const jsonFileOptions: readonly string[] = [
  ...localOptions,
  'labels',
  'labels-regex',
  'env',
  'env-regex',
  'tag',
];
/** Drivers of Docker's that send the output elsewhere. */
const remoteDrivers: ReadonlySet<string> = new Set([
  'awslogs',
  'etwlogs',
  'fluentd',
  'gcplogs',
  'gelf',
  'journald',
  'splunk',
  'syslog',
]);

/** What `local` has where nothing is said; `json-file` has no limits then. */
const localLimits: RotationLimits = { maxBytes: 20 * 1024 * 1024, maxFiles: 5 };

/** Refuses drivers and options that do not exist, as Docker does at create; it looks at most values at the start only. */
export function checkLogConfig({ Type: type, Config: options }: LogConfig): void {
  if (remoteDrivers.has(type)) throw notImplemented(`the log driver "${type}" is not implemented`);
  if (!['json-file', 'local', 'none'].includes(type)) {
    throw invalid(`error looking up logging plugin ${type}: plugin "${type}" not found`);
  }
  checkMode(options ?? {});
  if (type === 'none') return;
  const known = type === 'local' ? localOptions : jsonFileOptions;
  const unknown = Object.keys(options ?? {})
    .toSorted()
    .find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const driver = type === 'local' ? 'log driver local' : 'json-file log driver';
  throw invalid(`unknown log opt '${unknown}' for ${driver}`);
}

function checkMode(options: Options): void {
  const mode = options['mode'] ?? '';
  if (!['', 'blocking', 'non-blocking'].includes(mode)) {
    throw invalid(`logger: logging mode not supported: ${mode}`);
  }
  const buffer = options['max-buffer-size'];
  if (buffer === undefined) return;
  if (mode !== 'non-blocking') {
    throw invalid("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  }
  reworded(() => parseBinarySize(buffer), 'error parsing option max-buffer-size: ');
}

/** The values of a container's log options. Throws as Docker does when it starts the container. */
export function planLog({ Type: type, Config: options }: LogConfig): LogPlan {
  if (type === 'none') return { kind: 'none' };
  try {
    return {
      kind: 'file',
      limits: type === 'local' ? localPlan(options ?? {}) : jsonFilePlan(options ?? {}),
    };
  } catch (error) {
    if (!isKind(error, 'invalid')) throw error;
    throw internal(
      `failed to create task for container: failed to initialize logging driver: ${messageOf(error)}`,
      error,
    );
  }
}

function jsonFilePlan(options: Options): RotationLimits | undefined {
  const size = options['max-size'];
  const maxBytes = size === undefined ? undefined : parseBinarySize(size);
  if (maxBytes !== undefined && maxBytes <= 0) throw invalid('max-size must be a positive number');
  const maxFiles = integer(options['max-file'] ?? '1');
  if (maxFiles < 1) throw invalid('max-file cannot be less than 1');
  // Rotated files stay as they are: what it promises is not to be seen by any client.
  if (boolean(options['compress'] ?? 'false') && (maxBytes === undefined || maxFiles < 2)) {
    throw invalid('compress cannot be true when max-file is less than 2 or max-size is not set');
  }
  return maxBytes === undefined ? undefined : { maxBytes, maxFiles };
}

function localPlan(options: Options): RotationLimits {
  const size = options['max-size'];
  const file = options['max-file'];
  const compress = reworded(
    () => boolean(options['compress'] ?? 'true'),
    'error reading compress log option: ',
  );
  const maxBytes =
    size === undefined
      ? localLimits.maxBytes
      : reworded(() => parseBinarySize(size), `invalid value for max-size: ${size}: `);
  const maxFiles =
    file === undefined ? localLimits.maxFiles : reworded(() => integer(file), 'invalid value for max-file: ');
  if (maxFiles <= 1 && compress) throw invalid('compression cannot be enabled when max file count is 1');
  if (maxFiles < 0) throw invalid('max file count cannot be less than 1');
  if (maxBytes <= 0) throw invalid('max size cannot be less than 1');
  return { maxBytes, maxFiles: Math.max(maxFiles, 1) };
}

function integer(text: string): number {
  if (!/^[+-]?\d{1,15}$/.test(text))
    throw invalid(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

/** Go's strconv.ParseBool. */
function boolean(text: string): boolean {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false;
  throw invalid(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

function reworded<T>(parse: () => T, prefix: string): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw invalid(prefix + error.message, error);
  }
}

/** Keeps the log of a run within its limits, if it has some, until the result is disposed of. */
export function rotateLog(parts: ContainerParts, { id, spec }: ContainerRecord): Disposable {
  const plan = planLog(spec.hostConfig.LogConfig);
  if (plan.kind === 'none' || plan.limits === undefined) return new DisposableStack();
  return new LogRotation({
    path: parts.dirs.logOf(id),
    ...plan.limits,
    reopen: () => parts.terminals.of(id).reopenLog(),
    onError: (error) => {
      // It has ended just now.
      if (!isKind(error, 'conflict')) parts.log.error('cannot rotate the log of a container', { id, error });
    },
  });
}
