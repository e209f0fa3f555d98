import { posix } from 'node:path';
import { goQuote } from '#/base/go-quote.ts';
import { signalNumber } from '#/base/signals.ts';
import { formatGoDuration } from '#/base/units.ts';
import { parseExpose } from '#/dockerfile/expose.ts';
import type { CommandLine, StageInstruction } from '#/dockerfile/instruction.ts';
import type { ImageHealthcheck, ImageRuntimeConfig } from '#/oci/image-config.ts';
import { type StageState, withHistory } from './stage-state.ts';

/** Instructions that need nothing but the state before them. Of these WORKDIR may want a directory in addition. */
export type ConfigInstruction = Exclude<StageInstruction, { readonly kind: 'run' | 'copy' | 'add' | 'arg' }>;

/** The shell of commands that are a line of text. */
export const defaultShell: readonly string[] = ['/bin/sh', '-c'];

/** The state after an instruction whose variables are replaced already, with its line in the history as BuildKit writes it. */
export function applyConfig(state: StageState, instruction: ConfigInstruction): StageState {
  const { config } = state;
  const next = (change: ImageRuntimeConfig, line: string): StageState =>
    withHistory({ ...state, config: { ...config, ...change } }, line);
  switch (instruction.kind) {
    case 'env':
      return applyEnv(state, instruction.pairs);
    case 'label': {
      const labels = Object.fromEntries(instruction.pairs.map(({ name, value }) => [name, value]));
      return next({ Labels: { ...config.Labels, ...labels } }, `LABEL ${pairsText(instruction.pairs)}`);
    }
    case 'expose': {
      const ports = parseExpose(instruction.ports);
      const set = Object.fromEntries(ports.toSorted().map((port) => [port, {}]));
      return next({ ExposedPorts: { ...config.ExposedPorts, ...set } }, `EXPOSE [${ports.join(' ')}]`);
    }
    case 'volume': {
      const set = Object.fromEntries(instruction.paths.map((path) => [path, {}]));
      return next({ Volumes: { ...config.Volumes, ...set } }, `VOLUME [${instruction.paths.join(' ')}]`);
    }
    case 'user':
      return next({ User: instruction.value }, `USER ${instruction.value}`);
    case 'workdir': {
      const path = workingDirectory(state, instruction.value);
      return next({ WorkingDir: path }, `WORKDIR ${path}`);
    }
    case 'stopsignal':
      signalNumber(instruction.value);
      return next({ StopSignal: instruction.value }, `STOPSIGNAL ${instruction.value}`);
    case 'shell':
      return next({ Shell: instruction.words }, `SHELL [${instruction.words.join(' ')}]`);
    case 'cmd': {
      const words = commandWords(instruction.command, config);
      const { Cmd: _before, ...rest } = config;
      const changed = { ...rest, ArgsEscaped: true, ...(words.length > 0 && { Cmd: words }) };
      return { ...withHistory({ ...state, config: changed }, `CMD ${quotedList(words)}`), hasCmd: true };
    }
    case 'entrypoint': {
      const words = commandWords(instruction.command, config);
      const { Cmd, Entrypoint: _before, ...rest } = config;
      const kept = state.hasCmd && Cmd !== undefined ? { ...rest, Cmd } : rest;
      // An empty list means none.
      const changed = words.length === 0 ? kept : { ...kept, Entrypoint: words };
      return withHistory({ ...state, config: changed }, `ENTRYPOINT ${quotedList(words)}`);
    }
    case 'healthcheck':
      return next(
        { Healthcheck: instruction.healthcheck },
        `HEALTHCHECK ${healthcheckText(instruction.healthcheck)}`,
      );
    case 'onbuild':
      // BuildKit says nothing of it in the history.
      return { ...state, config: { ...config, OnBuild: [...(config.OnBuild ?? []), instruction.trigger] } };
    case 'maintainer':
      return withHistory({ ...state, author: instruction.value }, `MAINTAINER ${instruction.value}`);
    default:
      return instruction satisfies never;
  }
}

/** The directory of a WORKDIR: relative ones go on from the last; others stay as they are written. */
export function workingDirectory({ config }: StageState, path: string): string {
  return path.startsWith('/') ? path : posix.resolve('/', config.WorkingDir ?? '/', path);
}

/** A program with its arguments; a line of text is one for the shell. */
function commandWords(command: CommandLine, { Shell = defaultShell }: ImageRuntimeConfig): readonly string[] {
  return command.form === 'exec' ? command.words : [...Shell, command.line];
}

function applyEnv(
  state: StageState,
  pairs: readonly { readonly name: string; readonly value: string }[],
): StageState {
  const env = new Map((state.config.Env ?? []).map((entry) => [entry.split('=', 1)[0] ?? '', entry]));
  const variables = new Map(state.variables);
  for (const { name, value } of pairs) {
    env.set(name, `${name}=${value}`);
    variables.set(name, value);
  }
  const config = { ...state.config, Env: [...env.values()] };
  return withHistory({ ...state, config, variables }, `ENV ${pairsText(pairs)}`);
}

function pairsText(pairs: readonly { readonly name: string; readonly value: string }[]): string {
  return pairs.map(({ name, value }) => `${name}=${value}`).join(' ');
}

function quotedList(words: readonly string[]): string {
  return `[${words.map(goQuote).join(' ')}]`;
}

/** As Go prints a health check with %q, which is what BuildKit does. */
function healthcheckText(check: ImageHealthcheck): string {
  const durations = [check.Interval, check.Timeout, check.StartPeriod, check.StartInterval].map((value = 0) =>
    JSON.stringify(formatGoDuration(value)),
  );
  const retries = check.Retries ?? 0;
  const rune =
    retries < 0x20 ? `'\\x${retries.toString(16).padStart(2, '0')}'` : `'${String.fromCodePoint(retries)}'`;
  return `&{${quotedList(check.Test ?? [])} ${durations.join(' ')} ${rune}}`;
}
