import { posix } from 'node:path';
import { invalid, isKind } from '#/base/errors.ts';
import { signalNumber } from '#/base/signals.ts';
import { expandInstruction } from '#/dockerfile/expand-instruction.ts';
import { parseExpose } from '#/dockerfile/expose.ts';
import type { CommandLine, Instruction } from '#/dockerfile/instruction.ts';
import { parseInstructions } from '#/dockerfile/parse.ts';
import type { ImageRuntimeConfig } from '#/oci/image-config.ts';

/** The instructions that describe a container; the others of a Dockerfile would have to run something. */
const allowed: ReadonlySet<string> = new Set([
  'CMD',
  'ENTRYPOINT',
  'ENV',
  'EXPOSE',
  'HEALTHCHECK',
  'LABEL',
  'ONBUILD',
  'STOPSIGNAL',
  'USER',
  'VOLUME',
  'WORKDIR',
]);

/**
 * Applies the `changes` of an import (or commit): lines of a Dockerfile, several in each element. Throws `invalid` in
 * the words of Docker before anything is done.
 */
export function applyChanges(config: ImageRuntimeConfig, changes: readonly string[]): ImageRuntimeConfig {
  if (changes.length === 0) return config;
  const instructions = parseInstructions(changes.join('\n'), { name: 'changes', approve });
  let result = config;
  let hasCmd = false;
  for (const instruction of instructions) {
    result = apply(instruction, result, hasCmd);
    hasCmd ||= instruction.kind === 'cmd';
  }
  return withoutEmpty(result);
}

function approve(keyword: string): void {
  if (!allowed.has(keyword)) throw invalid(`${keyword} is not a valid change command`);
}

function apply(instruction: Instruction, config: ImageRuntimeConfig, hasCmd: boolean): ImageRuntimeConfig {
  if (instruction.kind === 'from') return config;
  const change = expandInstruction(instruction, new Map((config.Env ?? []).map(splitVariable)));
  switch (change.kind) {
    case 'cmd':
      return { ...config, Cmd: wordsOf(change.command) };
    case 'entrypoint': {
      const { Cmd, ...others } = config;
      // Arguments that were meant for another program do not fit this one.
      const kept = hasCmd && Cmd !== undefined ? { ...others, Cmd } : others;
      return { ...kept, Entrypoint: wordsOf(change.command) };
    }
    case 'env':
      return { ...config, Env: change.pairs.reduce(withVariable, config.Env ?? []) };
    case 'label': {
      const labels = change.pairs.map(({ name, value }) => [name, value] as const);
      return { ...config, Labels: { ...config.Labels, ...Object.fromEntries(labels) } };
    }
    case 'expose': {
      const ports = portsOf(change.ports).map((port) => [port, {}] as const);
      return { ...config, ExposedPorts: { ...config.ExposedPorts, ...Object.fromEntries(ports) } };
    }
    case 'volume': {
      const volumes = change.paths.map((path) => [path, {}] as const);
      return { ...config, Volumes: { ...config.Volumes, ...Object.fromEntries(volumes) } };
    }
    case 'healthcheck':
      return { ...config, Healthcheck: change.healthcheck };
    case 'onbuild':
      return { ...config, OnBuild: [...(config.OnBuild ?? []), change.trigger] };
    case 'stopsignal':
      signalNumber(change.value);
      return { ...config, StopSignal: change.value };
    case 'user':
      return { ...config, User: change.value };
    case 'workdir':
      return { ...config, WorkingDir: posix.resolve('/', config.WorkingDir ?? '', change.value) };
    case 'add':
    case 'arg':
    case 'copy':
    case 'maintainer':
    case 'run':
    case 'shell':
      return config;
  }
}

function wordsOf(command: CommandLine): readonly string[] {
  if (command.form === 'exec') return command.words;
  return command.line === '' ? ['/bin/sh', '-c'] : ['/bin/sh', '-c', command.line];
}

function withVariable(
  env: readonly string[],
  { name, value }: { readonly name: string; readonly value: string },
): readonly string[] {
  const entry = `${name}=${value}`;
  const at = env.findIndex((known) => splitVariable(known)[0] === name);
  return at < 0 ? [...env, entry] : env.with(at, entry);
}

/** Outside of BuildKit these messages of Docker begin with a capital and have no more around them. */
function portsOf(words: readonly string[]): readonly string[] {
  try {
    return parseExpose(words);
  } catch (error) {
    if (!isKind(error, 'invalid')) throw error;
    const reason = error.message.replace(/^invalid port: ".*": /s, '');
    throw invalid(reason.charAt(0).toUpperCase() + reason.slice(1), error);
  }
}

function splitVariable(entry: string): [name: string, value: string] {
  const at = entry.indexOf('=');
  return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
}

/** `CMD []` and `ENTRYPOINT []` mean none. */
function withoutEmpty(config: ImageRuntimeConfig): ImageRuntimeConfig {
  const { Cmd, Entrypoint, ...others } = config;
  return {
    ...others,
    ...(Cmd === undefined || Cmd.length === 0 ? {} : { Cmd }),
    ...(Entrypoint === undefined || Entrypoint.length === 0 ? {} : { Entrypoint }),
  };
}
