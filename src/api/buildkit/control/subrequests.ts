import { type EngineError, notImplemented } from '#/base/errors.ts';
import { DockerfileError } from '#/dockerfile/errors.ts';
import { parseLintConfig } from '#/dockerfile/lint/config.ts';
import { lint } from '#/dockerfile/lint/lint.ts';
import type { LintWarning } from '#/dockerfile/lint/report.ts';
import type { Dockerfile, Stage } from '#/dockerfile/parse.ts';
import type { SourceText } from '#/dockerfile/source.ts';
import { type Attributes, withPrefix } from './attributes.ts';
import { outlineOf } from './outline.ts';
import { base64, rangeOf } from './source-range.ts';

/** What a client is told without a build, by the names that the answer has for it. */
export type SubrequestResult = ReadonlyMap<string, string>;

/** The version of the answers' forms. */
const version = '1.0.0';

/** Answers a question about a Dockerfile: `frontend.lint`, `frontend.targets` or `frontend.outline`. `load` may throw. */
export async function answerSubrequest(
  name: string,
  { load, attributes }: { load: () => Promise<Dockerfile>; attributes: Attributes },
): Promise<SubrequestResult> {
  switch (name) {
    case 'frontend.lint':
      return lintResult(load, attributes);
    case 'frontend.targets':
      return answer(targetsOf(await load()));
    case 'frontend.outline':
      return answer(outlineOf(await load(), attributes));
    case 'frontend.subrequests.describe':
      return answer(descriptions);
    default:
      throw notImplemented(`unsupported request ${name}`);
  }
}

function answer(value: object): Map<string, string> {
  return new Map([
    ['result.json', JSON.stringify(value, undefined, 2)],
    // For people whose client does not know the form.
    ['result.txt', `${JSON.stringify(value, undefined, 2)}\n`],
    ['version', version],
  ]);
}

const descriptions = [
  ['frontend.outline', 'List all parameters current build target supports'],
  ['frontend.targets', 'List all targets current build supports'],
  ['frontend.lint', 'Lint a Dockerfile'],
  ['frontend.subrequests.describe', 'List available subrequest types'],
].map(([name, description]) => ({ name, version, type: 'rpc', description }));

async function lintResult(
  load: () => Promise<Dockerfile>,
  attributes: Attributes,
): Promise<SubrequestResult> {
  const { warnings, source, failure } = await lintOf(load, attributes);
  const found = warnings.map(({ rule, description, message, url, range }) => ({
    ruleName: rule,
    description,
    url,
    detail: message,
    location: { ranges: [rangeOf(range)] },
  }));
  const value = {
    warnings: found,
    sources: [{ filename: source.name, language: 'Dockerfile', data: base64(source) }],
    ...(failure && { buildError: { message: failure.message, location: placeOf(failure) } }),
  };
  const isClean = found.length === 0 && failure === undefined;
  return answer(value).set('result.statuscode', isClean ? '0' : '1');
}

/** A Dockerfile that cannot even be read is what the answer is about, too. */
async function lintOf(
  load: () => Promise<Dockerfile>,
  attributes: Attributes,
): Promise<{ warnings: readonly LintWarning[]; failure: EngineError | undefined; source: SourceText }> {
  let file: Dockerfile;
  try {
    file = await load();
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    return { warnings: [], failure: error, source: error.source };
  }
  const config = attributes.get('build-arg:BUILDKIT_DOCKERFILE_CHECK');
  const options = {
    args: withPrefix(attributes, 'build-arg:'),
    ...(config !== undefined && { config: parseLintConfig(config) }),
  };
  const { warnings, violation, failure } = lint(file, options);
  // That there are warnings is said by the warnings.
  return { warnings, failure: failure === violation ? undefined : failure, source: file.source };
}

function placeOf(error: EngineError): object {
  return error instanceof DockerfileError ? { ranges: [rangeOf(error.range)] } : {};
}

function targetsOf({ stages, source }: Dockerfile): object {
  const target = ({ index, name, from }: Stage): object => ({
    name: name ?? '',
    ...(index === stages.length - 1 && { default: true }),
    ...(from.description !== undefined && { description: from.description }),
    base: from.image,
    ...(from.platform !== undefined && { platform: from.platform }),
    location: { ranges: [rangeOf(from.range)] },
  });
  return { targets: stages.map(target), sources: [base64(source)] };
}
