import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IgnoreRules } from '../ignore.ts';
import { parseDockerfile } from '../parse.ts';
import { parseLintConfig } from './config.ts';
import { type LintOptions, lint } from './lint.ts';
import { lintRules } from './rules.ts';

const everything: LintOptions = { config: parseLintConfig('experimental=all'), imageConfig: () => ({}) };

/** `rule line message` of each warning. */
function warnings(text: string, options: LintOptions = everything): string[] {
  const { warnings: found, failure } = lint(parseDockerfile(Buffer.from(text)), options);
  assert.equal(failure, undefined);
  return found.map(({ rule, range, message }) => `${rule} ${range.start.line} ${message}`);
}

/** For each rule a file that breaks it, and what is said. */
const broken: readonly (readonly [text: string, ...expected: string[]])[] = [
  ['FROM a AS Base', "StageNameCasing 1 Stage name 'Base' should be lowercase"],
  ['FROM a as b', "FromAsCasing 1 'as' and 'FROM' keywords' casing do not match"],
  ['from a AS b', "FromAsCasing 1 'AS' and 'from' keywords' casing do not match"],
  ['FROM a\nRUN x \\\n\n  y\n', 'NoEmptyContinuation 4 Empty continuation line'],
  [
    'FROM a\nRun x\nuser y\n',
    "ConsistentInstructionCasing 2 Command 'Run' should match the case of the command majority (uppercase)",
    "ConsistentInstructionCasing 3 Command 'user' should match the case of the command majority (uppercase)",
  ],
  [
    'FROM a AS b\nFROM c AS B\n',
    "StageNameCasing 2 Stage name 'B' should be lowercase",
    'DuplicateStageName 2 Duplicate stage name "b", stage names should be unique',
  ],
  [
    'FROM a AS scratch\n',
    'ReservedStageName 1 Stage name should not use the same name as reserved stage "scratch"',
  ],
  [
    'FROM a\nENTRYPOINT x\nCMD y\n',
    'JSONArgsRecommended 2 JSON arguments recommended for ENTRYPOINT to prevent unintended behavior related to OS signals',
    'JSONArgsRecommended 3 JSON arguments recommended for CMD to prevent unintended behavior related to OS signals',
  ],
  [
    'FROM a\nMAINTAINER me\n',
    'MaintainerDeprecated 2 Maintainer instruction is deprecated in favor of using label',
  ],
  [
    'ARG VERSION=1\nFROM a:$VERSIO\nFROM --platform=${P:-linux} b\n',
    'InvalidDefaultArgInFrom 2 Default value for ARG a:$VERSIO results in empty or invalid base image name',
    "UndefinedArgInFrom 2 FROM argument 'VERSIO' is not declared (did you mean VERSION?)",
    "UndefinedArgInFrom 3 FROM argument 'P' is not declared",
  ],
  [
    'FROM a\nWORKDIR b\nWORKDIR c\n',
    'WorkdirRelativePath 2 Relative workdir "b" can have unexpected results if the base image changes',
  ],
  [
    'FROM a\nENV ONE=1\nCOPY $ONN $OTHER /\nLABEL a=$PAHT\n',
    "UndefinedVar 3 Usage of undefined variable '$ONN' (did you mean $ONE?)",
    "UndefinedVar 3 Usage of undefined variable '$OTHER'",
    "UndefinedVar 4 Usage of undefined variable '$PAHT' (did you mean $PATH?)",
  ],
  [
    'FROM a\nCMD ["b"]\nCMD ["c"]\nHEALTHCHECK NONE\nHEALTHCHECK CMD x\nENTRYPOINT ["x"]\nENTRYPOINT []\n',
    'MultipleInstructionsDisallowed 2 Multiple CMD instructions should not be used in the same stage because only the last one will be used',
    'MultipleInstructionsDisallowed 4 Multiple HEALTHCHECK instructions should not be used in the same stage because only the last one will be used',
    'MultipleInstructionsDisallowed 6 Multiple ENTRYPOINT instructions should not be used in the same stage because only the last one will be used',
  ],
  [
    'FROM a\nENV b c\nLABEL d e\n',
    'LegacyKeyValueFormat 2 "ENV key=value" should be used instead of legacy "ENV key value" format',
    'LegacyKeyValueFormat 3 "LABEL key=value" should be used instead of legacy "LABEL key value" format',
  ],
  [
    'FROM --platform=$TARGETPLATFORM a\nFROM --platform=${TARGETPLATFORM} b\n',
    'RedundantTargetPlatform 1 Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior',
    'RedundantTargetPlatform 2 Setting platform to predefined ${TARGETPLATFORM} in FROM is redundant as this is the default behavior',
  ],
  [
    'FROM a\nARG API_KEY\nENV db_password=x\nENV TOKEN_FILE=y PUBLIC_KEY=z MONKEY=1\n',
    'SecretsUsedInArgOrEnv 2 Do not use ARG or ENV instructions for sensitive data (ARG "API_KEY")',
    'SecretsUsedInArgOrEnv 3 Do not use ARG or ENV instructions for sensitive data (ENV "db_password")',
  ],
  [
    'ARG TAG\nFROM a:${TAG}\n',
    'InvalidDefaultArgInFrom 2 Default value for ARG a:${TAG} results in empty or invalid base image name',
  ],
  [
    'FROM --platform=linux/arm64 a\nFROM --platform=linux/arm64 a AS x-arm64\nFROM --platform=$BUILDPLATFORM a\n',
    'FromPlatformFlagConstDisallowed 1 FROM --platform flag should not use constant value "linux/arm64"',
  ],
  [
    '# x y\nARG A\n# base is it\nFROM a AS base\n# no\n#\nARG B\n# no\nARG C D\n',
    'InvalidDefinitionDescription 2 Comment for ARG should follow the format: `# A <description>`',
    'InvalidDefinitionDescription 9 Comment for ARG should follow the format: `# <arg_key> <description>`',
  ],
  [
    'FROM a\nEXPOSE 80/TCP\n',
    "ExposeProtoCasing 2 Defined protocol '80/TCP' in EXPOSE instruction should be lowercase",
  ],
  [
    'FROM a\nEXPOSE 127.0.0.1:80:80 90:80\n',
    "ExposeInvalidFormat 2 EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:80'",
    "ExposeInvalidFormat 2 EXPOSE instruction should not define an IP address or host-port mapping, found '90:80'",
  ],
  [
    'FROM a\nEXPOSE $UNKNOWN 80/TCP\n',
    "ExposeProtoCasing 2 Defined protocol '80/TCP' in EXPOSE instruction should be lowercase",
  ],
];

test('lint: says in the words of BuildKit what breaks a rule', () => {
  for (const [text, ...expected] of broken) assert.deepEqual(warnings(text), expected, text);
});

test('lint: CopyIgnoredFile', () => {
  const text = 'FROM a AS b\nCOPY x/y z .\nADD x https://x/x /\nCOPY --from=b x .\nCOPY . .\n';
  const check = (...patterns: string[]): string[] => {
    return warnings(text, { ...everything, ignore: new IgnoreRules(patterns) });
  };
  assert.deepEqual(check('x'), [
    'CopyIgnoredFile 2 Attempting to Copy file "x/y" that is excluded by .dockerignore',
    'CopyIgnoredFile 3 Attempting to Add file "x" that is excluded by .dockerignore',
  ]);
  assert.deepEqual(check('x', '!x/y'), []);
  assert.equal(
    check('*').at(-1),
    'CopyIgnoredFile 5 Attempting to Copy file "." that is excluded by .dockerignore',
  );
});

test('lint: every rule that a Dockerfile alone can break has a case', () => {
  const seen = new Set(broken.flatMap(([, ...expected]) => expected.map((line) => line.split(' ', 1)[0])));
  const missing = lintRules.map(({ name }) => name).filter((name) => !seen.has(name));
  assert.deepEqual(missing, ['CopyIgnoredFile', 'InvalidBaseImagePlatform']);
});

test('lint: finds nothing where nothing is', () => {
  const text = `# syntax=docker/dockerfile:1
ARG VERSION=1
FROM --platform=$BUILDPLATFORM node:$VERSION AS build
ARG TARGETARCH UNSET
WORKDIR /src
COPY a$UNSET b$TARGETARCH ./
RUN --mount=type=cache,target=/c$HOME x $UNKNOWN
FROM scratch
SHELL ["/bin/x", "-c"]
COPY --from=build /src /
ENV A=1
ENV B=\${A:-$A} C=\${A}
EXPOSE 80/udp
CMD run
`;
  assert.deepEqual(warnings(text, { imageConfig: () => ({ Env: ['HOME=/root'] }) }), []);
});

test('lint: stages inherit what is known, and unknown images may have any variable', () => {
  const text = 'FROM a AS b\nARG X\nENV Y=1\nWORKDIR /x\nFROM b\nWORKDIR y$X$Y$OTHER\n';
  assert.deepEqual(warnings(text), ["UndefinedVar 6 Usage of undefined variable '$OTHER'"]);
  assert.deepEqual(warnings(text, {}), []);
});

test('lint: rules are switched by the file, by a comment and by options', () => {
  const found = (text: string, options?: LintOptions): string[] => {
    const file = parseDockerfile(Buffer.from(text));
    return lint(file, options).warnings.map(({ rule }) => rule);
  };
  const body = 'FROM a\nMAINTAINER b\nENV c d\n';
  assert.deepEqual(found(body), ['MaintainerDeprecated', 'LegacyKeyValueFormat']);
  assert.deepEqual(found(`# check=skip=MaintainerDeprecated\n${body}`), ['LegacyKeyValueFormat']);
  assert.deepEqual(found(`# check=skip=all\n${body}`), []);
  assert.deepEqual(found(`# check=skip=all\n${body}`, { config: parseLintConfig('') }), [
    'MaintainerDeprecated',
    'LegacyKeyValueFormat',
  ]);
  assert.deepEqual(found('FROM a\n# check=skip=MaintainerDeprecated\nMAINTAINER b\n'), []);
  assert.deepEqual(found('FROM a AS b\nMAINTAINER c\nENV d e\n', { stages: new Set() }), [
    'MaintainerDeprecated',
  ]);
});

test('lint: warnings are a failure where the file says so', () => {
  const file = parseDockerfile(Buffer.from('# check=error=true\nFROM a AS B\nENV c d\nENV e f\n'));
  assert.deepEqual(
    lint(file).failure?.message,
    'lint violation found for rules: StageNameCasing, LegacyKeyValueFormat',
  );
});

test('lint: what would make a build fail is a failure with its place', () => {
  const failure = (text: string): string => {
    const { failure: found } = lint(parseDockerfile(Buffer.from(text)));
    assert.ok(found !== undefined && 'range' in found);
    return found.message;
  };
  assert.equal(failure('FROM a\nENV A=${B?no}\n'), 'failed to process "${B?no}": B: no');
  assert.equal(failure('FROM a\nSTOPSIGNAL x\n'), 'invalid signal: x');
  assert.equal(failure('FROM a\nRUN --mount=type=x y\n'), 'unsupported mount type "x"');
  assert.equal(failure("FROM a\nCOPY 'https://x/y' z\n"), "source can't be a URL for COPY");
  assert.equal(failure('ARG A\nFROM $A\n'), 'base name ($A) should not be blank');
  assert.equal(failure('FROM --platform=$P a\n'), 'empty platform value from expression $P');
  assert.match(
    failure('FROM --platform=a/b/c/d a\n'),
    /^failed to parse platform a\/b\/c\/d: "a\/b\/c\/d": /,
  );
  assert.equal(failure('FROM a\nEXPOSE x\n'), 'invalid containerPort: x');
});

test('parseLintConfig: refuses what it does not know', () => {
  const wrong: Readonly<Record<string, string>> = {
    skip: 'invalid check option "skip"',
    'foo=bar': 'invalid check option "foo"',
    'error=maybe':
      'failed to parse check option "error=maybe": strconv.ParseBool: parsing "maybe": invalid syntax',
  };
  for (const [text, reason] of Object.entries(wrong)) {
    assert.throws(() => parseLintConfig(text), {
      kind: 'invalid',
      message: `failed to parse check options: ${reason}`,
    });
  }
});
