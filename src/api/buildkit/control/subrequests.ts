import { type EngineError, notImplemented } from '#/base/errors.ts';
import type { LoadedDockerfile } from '#/builder/plan/load-dockerfile.ts';
import { DockerfileError } from '#/dockerfile/errors.ts';
import { IgnoreRules } from '#/dockerfile/ignore.ts';
import { parseLintConfig } from '#/dockerfile/lint/config.ts';
import { lint } from '#/dockerfile/lint/lint.ts';
import type { LintWarning } from '#/dockerfile/lint/report.ts';
import type { Dockerfile, Stage } from '#/dockerfile/parse.ts';
import type { SourceText } from '#/dockerfile/source.ts';
import type { ImageRuntimeConfig } from '#/oci/image-config.ts';
import { type Attributes, withPrefix } from './attributes.ts';
import { outlineOf } from './outline.ts';
import { base64, rangeOf } from './source-range.ts';

/** What a client is told without a build, by the names that the answer has for it. */
export type SubrequestResult = ReadonlyMap<string, string>;

/** The version of the answers' forms. */
const version = '1.0.0';

/** What a question is about. */
export interface SubrequestSubject {
  readonly attributes: Attributes;
  /** Gets the Dockerfile, and the patterns of its ignore file. May throw. */
  readonly load: () => Promise<Pick<LoadedDockerfile, 'dockerfile' | 'excludes'>>;
  /** What is known here of an image without asking anybody. */
  readonly imageConfig: (image: string) => ImageRuntimeConfig | undefined;
}

/** Answers a question about a Dockerfile: `frontend.lint`, `frontend.targets` or `frontend.outline`. */
export async function answerSubrequest(name: string, subject: SubrequestSubject): Promise<SubrequestResult> {
  const { load, attributes } = subject;
  switch (name) {
    case 'frontend.lint':
      return lintResult(subject);
    case 'frontend.targets':
      return answer(targetsOf((await load()).dockerfile));
    case 'frontend.outline':
      return answer(outlineOf((await load()).dockerfile, attributes));
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

async function lintResult(subject: SubrequestSubject): Promise<SubrequestResult> {
  const { warnings, source, failure } = await lintOf(subject);
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
async function lintOf({ load, attributes, imageConfig }: SubrequestSubject): Promise<{
  warnings: readonly LintWarning[];
  failure: EngineError | undefined;
  source: SourceText;
}> {
  let loaded: Awaited<ReturnType<typeof load>>;
  try {
    loaded = await load();
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    return { warnings: [], failure: error, source: error.source };
  }
  const { dockerfile: file, excludes } = loaded;
  const config = attributes.get('build-arg:BUILDKIT_DOCKERFILE_CHECK');
  const options = {
    args: withPrefix(attributes, 'build-arg:'),
    imageConfig,
    ...(excludes.length > 0 && { ignore: new IgnoreRules(excludes) }),
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
    ...(name !== undefined && { name }),
    ...(index === stages.length - 1 && { default: true }),
    ...(from.description !== undefined && { description: from.description }),
    base: from.image,
    ...(from.platform !== undefined && { platform: from.platform }),
    location: { ranges: [rangeOf(from.range)] },
  });
  return { targets: stages.map(target), sources: [base64(source)] };
}
