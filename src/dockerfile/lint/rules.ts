/** A rule of the linter, with the name that Docker's documentation gives it. */
export interface LintRule {
  readonly name: RuleName;
  /** What is asked for. */
  readonly description: string;
  /** What to do about it. */
  readonly fix: string;
  /** Where Docker documents it. */
  readonly url: string;
  /** Off unless it is asked for. */
  readonly isExperimental?: true;
}

/** The rules that there are. */
export type RuleName =
  | 'StageNameCasing'
  | 'FromAsCasing'
  | 'NoEmptyContinuation'
  | 'ConsistentInstructionCasing'
  | 'DuplicateStageName'
  | 'ReservedStageName'
  | 'JSONArgsRecommended'
  | 'MaintainerDeprecated'
  | 'UndefinedArgInFrom'
  | 'WorkdirRelativePath'
  | 'UndefinedVar'
  | 'MultipleInstructionsDisallowed'
  | 'LegacyKeyValueFormat'
  | 'RedundantTargetPlatform'
  | 'SecretsUsedInArgOrEnv'
  | 'InvalidDefaultArgInFrom'
  | 'FromPlatformFlagConstDisallowed'
  | 'CopyIgnoredFile'
  | 'InvalidDefinitionDescription'
  | 'ExposeProtoCasing'
  | 'ExposeInvalidFormat'
  | 'InvalidBaseImagePlatform';

const texts: Readonly<Record<RuleName, readonly [description: string, fix: string]>> = {
  StageNameCasing: ['Stage names should be lowercase', 'Write the name after AS in lower case.'],
  FromAsCasing: [
    "The 'as' keyword should match the case of the 'from' keyword",
    'Write FROM and AS both in capitals or both in small letters.',
  ],
  NoEmptyContinuation: [
    'Empty continuation lines will become errors in a future release',
    'Remove the empty line, or put a comment there.',
  ],
  ConsistentInstructionCasing: [
    'All commands within the Dockerfile should use the same casing (either upper or lower)',
    'Write all instructions in capitals.',
  ],
  DuplicateStageName: ['Stage names should be unique', 'Give one of the stages another name.'],
  ReservedStageName: [
    'Reserved words should not be used as stage names',
    'Choose a name other than "context" and "scratch".',
  ],
  JSONArgsRecommended: [
    'JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals',
    'Write the command as a JSON list, ["program", "argument"]; or, if it needs a shell, name that with SHELL before.',
  ],
  MaintainerDeprecated: [
    'The MAINTAINER instruction is deprecated, use a label instead to define an image author',
    'Write LABEL org.opencontainers.image.authors="name" instead.',
  ],
  UndefinedArgInFrom: [
    'FROM command must use declared ARGs',
    'Declare the argument with ARG before the first FROM.',
  ],
  WorkdirRelativePath: [
    'Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes',
    'Begin the path with a slash.',
  ],
  UndefinedVar: [
    'Variables should be defined before their use',
    'Declare the variable with ARG or ENV in this stage before it is used.',
  ],
  MultipleInstructionsDisallowed: [
    'Multiple instructions of the same type should not be used in the same stage',
    'Keep the last one only.',
  ],
  LegacyKeyValueFormat: [
    'Legacy key/value format with whitespace separator should not be used',
    'Write name=value, with quotes around the value if it has blanks.',
  ],
  RedundantTargetPlatform: [
    'Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior',
    'Leave --platform out.',
  ],
  SecretsUsedInArgOrEnv: [
    'Sensitive data should not be used in the ARG or ENV commands',
    'Give the secret to the step that needs it: RUN --mount=type=secret,id=NAME.',
  ],
  InvalidDefaultArgInFrom: [
    'Default value for global ARG results in an empty or invalid base image name',
    'Give the ARG a default value with which the name of the image is valid.',
  ],
  FromPlatformFlagConstDisallowed: [
    'FROM --platform flag should not use a constant value',
    'Leave --platform out, use $BUILDPLATFORM, or put the architecture into the name of the stage.',
  ],
  CopyIgnoredFile: [
    'Attempting to Copy file that is excluded by .dockerignore',
    'Remove the pattern from .dockerignore, or do not copy the file.',
  ],
  InvalidDefinitionDescription: [
    'Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment.',
    'Begin the comment with the name of the stage or argument, or put an empty comment (#) below it.',
  ],
  ExposeProtoCasing: [
    'Protocol in EXPOSE instruction should be lowercase',
    'Write the protocol in lower case.',
  ],
  ExposeInvalidFormat: [
    'IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release',
    'Name the port of the container only; addresses and ports of the host are for `run -p`.',
  ],
  InvalidBaseImagePlatform: [
    'Base image platform does not match expected target platform',
    'Use an image that exists for the platform, or build for another one with --platform.',
  ],
};

const experimental: ReadonlySet<string> = new Set<RuleName>([
  'CopyIgnoredFile',
  'InvalidDefinitionDescription',
]);

/** Everything that the linter knows to look for. */
export const lintRules: readonly LintRule[] = (Object.keys(texts) as RuleName[]).map((name) => ({
  name,
  description: texts[name][0],
  fix: texts[name][1],
  url: urlOf(name),
  ...(experimental.has(name) ? { isExperimental: true } : {}),
}));

/** The rule of a name. */
export function lintRule(name: RuleName): LintRule {
  const found = lintRules.find((rule) => rule.name === name);
  if (found === undefined) throw new Error(`no rule ${name}`);
  return found;
}

function urlOf(name: RuleName): string {
  const words = name.replaceAll(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, '-').toLowerCase();
  return `https://docs.docker.com/go/dockerfile/rule/${words}/`;
}
