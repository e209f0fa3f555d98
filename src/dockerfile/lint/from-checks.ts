import { EngineError, invalid, messageOf } from '#/base/errors.ts';
import { goQuote } from '#/base/go-quote.ts';
import { type Platform, parsePlatform } from '#/oci/platform.ts';
import { parseReference } from '#/oci/reference.ts';
import { expandWord } from '../expand.ts';
import { globalArgs } from '../global-args.ts';
import type { FromInstruction } from '../instruction.ts';
import { withSuggestion } from '../suggest.ts';
import type { LintSubject } from './report.ts';

/** Checks that the FROMs would still be valid if no argument were given. */
export function checkDefaults({ file, report }: LintSubject, platform: ReadonlyMap<string, string>): void {
  const defaults = attempt(() => globalArgs(file, platform, new Map()));
  if (defaults === undefined) return;
  for (const { from } of file.stages) {
    const image = attempt(() => expandWord(from.image, defaults, { escape: file.escape }));
    if (image === undefined) return;
    if (attempt(() => parseReference(image)) !== undefined) continue;
    const text = `Default value for ARG ${from.image} results in empty or invalid base image name`;
    report.warn('InvalidDefaultArgInFrom', from, text);
  }
}

/** The image or stage that a FROM names; looks at its variables on the way. Throws for what cannot be expanded. */
export function checkFrom(
  from: FromInstruction,
  { file, report }: LintSubject,
  globals: ReadonlyMap<string, string>,
): string {
  const known = [...globals.keys(), ...file.metaArgs.flatMap(({ args }) => args.map(({ name }) => name))];
  const expand = (word: string): { text: string; matched: string[]; unmatched: string[] } => {
    const matched: string[] = [];
    const unmatched: string[] = [];
    const onVariable = (name: string, isSet: boolean): void => {
      (isSet ? matched : unmatched).push(name);
    };
    const text = expandWord(word, globals, { escape: file.escape, onVariable });
    for (const name of unmatched) {
      if (known.includes(name)) continue;
      const message = withSuggestion(`FROM argument '${name}' is not declared`, name, known);
      report.warn('UndefinedArgInFrom', from, message);
    }
    return { text, matched, unmatched };
  };
  const image = expand(from.image);
  if (image.text === '') throw invalid(`base name (${from.image}) should not be blank`);
  if (from.platform === undefined) return image.text;
  const platform = expand(from.platform);
  const isConstant = platform.matched.length === 0 && platform.unmatched.length === 0;
  const isTarget =
    platform.unmatched.length === 0 && platform.matched.every((name) => name === 'TARGETPLATFORM');
  if (!isConstant && isTarget && platform.text === globals.get('TARGETPLATFORM')) {
    const text = `Setting platform to predefined ${from.platform} in FROM is redundant as this is the default behavior`;
    report.warn('RedundantTargetPlatform', from, text);
  }
  if (platform.text === '') throw invalid(`empty platform value from expression ${from.platform}`);
  const parsed = platformOf(platform.text, from.platform);
  if (isConstant && !isNamedAfter(from.stageName ?? '', parsed)) {
    const text = `FROM --platform flag should not use constant value ${goQuote(platform.text)}`;
    report.warn('FromPlatformFlagConstDisallowed', from, text);
  }
  return image.text;
}

function platformOf(text: string, expression: string): Platform {
  try {
    return parsePlatform(text);
  } catch (error) {
    throw invalid(`failed to parse platform ${expression}: ${messageOf(error)}`, error);
  }
}

function isNamedAfter(name: string, { os, architecture }: Platform): boolean {
  return name.includes(os) || name.includes(architecture);
}

function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}
