import { posix } from 'node:path';
import { invalid } from '#/base/errors.ts';
import { signalNumber } from '#/base/signals.ts';
import { parseExpose } from '#/dockerfile/expose.ts';
import type { ImageRuntimeConfig } from '#/oci/image-config.ts';
import { parseHealthcheck } from './change-healthcheck.ts';
import { expandWord, type Instruction, jsonWords, quotedWords, splitInstructions } from './change-words.ts';

/** What an instruction works on: the configuration so far, and how words are to be read. */
interface Change {
  readonly config: ImageRuntimeConfig;
  readonly rest: string;
  readonly expand: (word: string) => string;
  /** One of the changes before was a CMD. */
  readonly hasCmd: boolean;
}

type Apply = (change: Change) => ImageRuntimeConfig;

/** The instructions that describe a container; the others of a Dockerfile would have to run something. */
const instructions: ReadonlyMap<string, Apply> = new Map<string, Apply>([
  ['CMD', ({ config, rest }) => ({ ...config, Cmd: jsonWords(rest) ?? shellForm(rest) })],
  ['ENTRYPOINT', applyEntrypoint],
  ['ENV', applyEnv],
  ['EXPOSE', applyExpose],
  ['HEALTHCHECK', ({ config, rest }) => ({ ...config, Healthcheck: parseHealthcheck(rest) })],
  ['LABEL', applyLabel],
  ['ONBUILD', applyOnBuild],
  ['STOPSIGNAL', applyStopSignal],
  ['USER', (change) => ({ ...change.config, User: single('USER', change) })],
  ['VOLUME', applyVolume],
  ['WORKDIR', applyWorkdir],
]);

/**
 * Applies the `changes` of an import (or commit): lines of a Dockerfile, several in each element. Throws `invalid` in
 * the words of Docker before anything is done.
 */
export function applyChanges(config: ImageRuntimeConfig, changes: readonly string[]): ImageRuntimeConfig {
  if (changes.length === 0) return config;
  const parsed = splitInstructions(changes.join('\n'));
  const unknown = parsed.find(({ word }) => !instructions.has(word));
  if (unknown !== undefined) throw invalid(`${unknown.word} is not a valid change command`);
  let result = config;
  let hasCmd = false;
  for (const { word, rest } of parsed) {
    result = applyOne({ word, rest }, { config: result, hasCmd });
    hasCmd ||= word === 'CMD';
  }
  return withoutEmpty(result);
}

function applyOne(
  { word, rest }: Instruction,
  { config, hasCmd }: Pick<Change, 'config' | 'hasCmd'>,
): ImageRuntimeConfig {
  const variables = new Map((config.Env ?? []).map(splitVariable));
  const expand = (text: string): string => expandWord(text, variables);
  return instructions.get(word)?.({ config, rest, expand, hasCmd }) ?? config;
}

function applyEntrypoint({ config, rest, hasCmd }: Change): ImageRuntimeConfig {
  if (rest === '') throw invalid('ENTRYPOINT requires at least one argument');
  const { Cmd, ...others } = config;
  // Arguments that were meant for another program do not fit this one.
  const kept = hasCmd && Cmd !== undefined ? { ...others, Cmd } : others;
  return { ...kept, Entrypoint: jsonWords(rest) ?? shellForm(rest) };
}

function applyEnv({ config, rest, expand }: Change): ImageRuntimeConfig {
  const env = [...(config.Env ?? [])];
  for (const [name, value] of pairs('ENV', rest)) {
    const entry = `${expand(name)}=${expand(value)}`;
    const at = env.findIndex((known) => splitVariable(known)[0] === expand(name));
    if (at < 0) env.push(entry);
    else env[at] = entry;
  }
  return { ...config, Env: env };
}

function applyLabel({ config, rest, expand }: Change): ImageRuntimeConfig {
  const labels = pairs('LABEL', rest).map(([name, value]) => [expand(name), expand(value)] as const);
  return { ...config, Labels: { ...config.Labels, ...Object.fromEntries(labels) } };
}

function applyExpose({ config, rest, expand }: Change): ImageRuntimeConfig {
  const words = quotedWords(rest).map(expand);
  if (words.length === 0) throw invalid('EXPOSE requires at least one argument');
  const ports = words.flatMap(parseExpose).map((port) => [port, {}] as const);
  return { ...config, ExposedPorts: { ...config.ExposedPorts, ...Object.fromEntries(ports) } };
}

function applyOnBuild({ config, rest }: Change): ImageRuntimeConfig {
  if (rest === '') throw invalid('ONBUILD requires at least one argument');
  const trigger = (rest.split(/\s/, 1)[0] ?? '').toUpperCase();
  if (trigger === 'ONBUILD') throw invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (['FROM', 'MAINTAINER'].includes(trigger))
    throw invalid(`${trigger} isn't allowed as an ONBUILD trigger`);
  return { ...config, OnBuild: [...(config.OnBuild ?? []), rest] };
}

function applyStopSignal(change: Change): ImageRuntimeConfig {
  const signal = single('STOPSIGNAL', change);
  signalNumber(signal);
  return { ...change.config, StopSignal: signal };
}

function applyVolume({ config, rest, expand }: Change): ImageRuntimeConfig {
  const words = (jsonWords(rest) ?? quotedWords(rest)).map((word) => expand(word).trim());
  if (words.length === 0) throw invalid('VOLUME requires at least one argument');
  if (words.includes('')) throw invalid('VOLUME specified can not be an empty string');
  const volumes = words.map((path) => [path, {}] as const);
  return { ...config, Volumes: { ...config.Volumes, ...Object.fromEntries(volumes) } };
}

function applyWorkdir(change: Change): ImageRuntimeConfig {
  const path = single('WORKDIR', change);
  const resolved = posix.resolve('/', change.config.WorkingDir ?? '', path);
  return { ...change.config, WorkingDir: resolved };
}

function shellForm(rest: string): string[] {
  return rest === '' ? ['/bin/sh', '-c'] : ['/bin/sh', '-c', rest];
}

function single(word: string, { rest, expand }: Change): string {
  if (rest === '') throw invalid(`${word} requires exactly one argument`);
  return expand(rest);
}

/** `a=b c="d e"`, or the old `name everything else`. */
function pairs(word: string, rest: string): (readonly [name: string, value: string])[] {
  const words = quotedWords(rest);
  const [first] = words;
  if (first === undefined) throw invalid(`${word} requires at least one argument`);
  if (!first.includes('=')) {
    const value = rest.slice(first.length).trim();
    if (value === '') throw invalid(`${word} must have two arguments`);
    return [[first, value]];
  }
  return words.map((text) => {
    const at = text.indexOf('=');
    if (at < 0) {
      throw invalid(`Syntax error - can't find = in "${text}". Must be of the form: name=value`);
    }
    if (at === 0) throw invalid(`${word} names can not be blank`);
    return [text.slice(0, at), text.slice(at + 1)];
  });
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
