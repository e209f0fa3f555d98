import { invalid } from '#/base/errors.ts';
import { goQuote } from '#/base/go-quote.ts';
import { signalNumber } from '#/base/signals.ts';
import { expandWord } from '../expand.ts';
import { expandInstruction, readMounts } from '../expand-instruction.ts';
import { readExposed } from '../expose.ts';
import type { IgnoreRules } from '../ignore.ts';
import type { CopySource, StageInstruction, ValueInstruction } from '../instruction.ts';
import { withSuggestion } from '../suggest.ts';
import { cleanPath } from '../text.ts';
import type { StageView } from './environment.ts';
import type { LintSubject } from './report.ts';

/** What the checks of a stage need besides the file. */
export interface StageSurroundings {
  readonly args: ReadonlyMap<string, string>;
  readonly globals: ReadonlyMap<string, string>;
  readonly ignore: IgnoreRules | undefined;
}

/** Arguments that tell the builder something and are no variables. */
const builderArguments: ReadonlySet<string> = new Set([
  'BUILDKIT_SBOM_SCAN_CONTEXT',
  'BUILDKIT_SBOM_SCAN_STAGE',
]);

const secret = /(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)/i;
const notSecret = /(?:_|^)(?:public|file|version)(?:_|$)/i;

/** Reads the instructions of a stage one after the other, as a build would. */
export class StageChecks {
  readonly #subject: LintSubject;
  readonly #around: StageSurroundings;
  readonly #view: StageView;
  /** Of instructions that count once. */
  readonly #last = new Map<string, StageInstruction>();

  constructor(subject: LintSubject, around: StageSurroundings, view: StageView) {
    this.#subject = subject;
    this.#around = around;
    this.#view = view;
  }

  /** Throws what would make a build fail. */
  check(instruction: StageInstruction): void {
    const { file } = this.#subject;
    const options = { escape: file.escape, onVariable: this.#watch(instruction) };
    // BuildKit does not look at the variables of EXPOSE.
    const watched = instruction.kind === 'expose' ? { escape: file.escape } : options;
    const expanded = expandInstruction(instruction, this.#view.variables, watched);
    switch (expanded.kind) {
      case 'run':
        readMounts(expanded, this.#view.variables, options);
        break;
      case 'env':
      case 'label':
        this.#checkPairs(expanded);
        break;
      case 'arg':
        this.#checkArg(expanded);
        break;
      case 'workdir':
        this.#checkWorkdir(expanded);
        break;
      case 'cmd':
      case 'entrypoint':
        this.#checkOnce(expanded);
        this.#checkShell(expanded);
        break;
      case 'healthcheck':
        this.#checkOnce(expanded);
        break;
      case 'expose':
        this.#checkExpose(expanded);
        break;
      case 'copy':
      case 'add':
        this.#checkSources(expanded);
        break;
      case 'shell':
        this.#view.hasShell = true;
        break;
      case 'stopsignal':
        signalNumber(expanded.value);
        break;
      case 'user':
      case 'volume':
      case 'onbuild':
      case 'maintainer':
        break;
    }
  }

  #watch(instruction: StageInstruction): (name: string, isSet: boolean) => void {
    const { variables, declared, isComplete } = this.#view;
    return (name, isSet) => {
      if (isSet || !isComplete || declared.has(name) || builderArguments.has(name)) return;
      const options = [...variables.keys()];
      const near = withSuggestion('', name, options).replace('did you mean ', 'did you mean $');
      this.#subject.report.warn('UndefinedVar', instruction, `Usage of undefined variable '$${name}'${near}`);
    };
  }

  #checkPairs(instruction: Extract<StageInstruction, { kind: 'env' | 'label' }>): void {
    const { keyword } = instruction;
    for (const { name, value, isLegacy } of instruction.pairs) {
      if (isLegacy) {
        const text = `"${keyword} key=value" should be used instead of legacy "${keyword} key value" format`;
        this.#subject.report.warn('LegacyKeyValueFormat', instruction, text);
      }
      if (instruction.kind !== 'env') continue;
      this.#checkSecret('ENV', name, instruction);
      this.#view.variables.set(name, value);
    }
  }

  #checkArg(instruction: Extract<StageInstruction, { kind: 'arg' }>): void {
    const { variables, declared } = this.#view;
    const { args, globals } = this.#around;
    const options = { escape: this.#subject.file.escape, onVariable: this.#watch(instruction) };
    for (const { name, value } of instruction.args) {
      this.#checkSecret('ARG', name, instruction);
      const found =
        args.get(name) ?? (value === undefined ? globals.get(name) : expandWord(value, variables, options));
      declared.add(name);
      if (found !== undefined && !builderArguments.has(name)) variables.set(name, found);
    }
  }

  #checkSecret(keyword: string, name: string, instruction: StageInstruction): void {
    if (!secret.test(name) || notSecret.test(name)) return;
    const text = `Do not use ARG or ENV instructions for sensitive data (${keyword} ${goQuote(name)})`;
    this.#subject.report.warn('SecretsUsedInArgOrEnv', instruction, text);
  }

  #checkWorkdir(instruction: ValueInstruction): void {
    const { value } = instruction;
    if (!this.#view.hasWorkdir && !value.startsWith('/')) {
      const text = `Relative workdir ${goQuote(value)} can have unexpected results if the base image changes`;
      this.#subject.report.warn('WorkdirRelativePath', instruction, text);
    }
    this.#view.hasWorkdir = true;
  }

  #checkOnce(instruction: StageInstruction): void {
    const before = this.#last.get(instruction.kind);
    this.#last.set(instruction.kind, instruction);
    if (before === undefined) return;
    const text = `Multiple ${instruction.keyword} instructions should not be used in the same stage because only the last one will be used`;
    // The one before is the one that does nothing.
    const comments = [...before.comments, ...instruction.comments];
    this.#subject.report.warn('MultipleInstructionsDisallowed', { range: before.range, comments }, text);
  }

  #checkShell(instruction: Extract<StageInstruction, { kind: 'cmd' | 'entrypoint' }>): void {
    if (instruction.command.form === 'exec' || this.#view.hasShell) return;
    const text = `JSON arguments recommended for ${instruction.keyword} to prevent unintended behavior related to OS signals`;
    this.#subject.report.warn('JSONArgsRecommended', instruction, text);
  }

  #checkExpose(instruction: Extract<StageInstruction, { kind: 'expose' }>): void {
    for (const port of instruction.ports) {
      const { protocol, hasHostPart } = readExposed(port);
      if (protocol !== protocol.toLowerCase()) {
        const text = `Defined protocol '${port}' in EXPOSE instruction should be lowercase`;
        this.#subject.report.warn('ExposeProtoCasing', instruction, text);
      }
      if (hasHostPart) {
        const text = `EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`;
        this.#subject.report.warn('ExposeInvalidFormat', instruction, text);
      }
    }
  }

  /** With exceptions one cannot tell: a folder may be excluded and something in it not. */
  #checkSources(instruction: Extract<StageInstruction, { kind: 'copy' | 'add' }>): void {
    const { ignore } = this.#around;
    if (instruction.kind === 'copy' && instruction.sources.some(isUrl)) {
      throw invalid("source can't be a URL for COPY");
    }
    const isElsewhere = instruction.kind === 'copy' && instruction.from !== undefined;
    if (ignore === undefined || ignore.hasExceptions || isElsewhere) return;
    for (const path of instruction.sources.flatMap(localPath)) {
      const isExcluded = path === '.' || path === '/' ? ignore.excludesEverything : ignore.excludes(path);
      if (!isExcluded) continue;
      const verb = instruction.kind === 'copy' ? 'Copy' : 'Add';
      const text = `Attempting to ${verb} file ${goQuote(path)} that is excluded by .dockerignore`;
      this.#subject.report.warn('CopyIgnoredFile', instruction, text);
    }
  }
}

function isUrl(source: CopySource): boolean {
  return source.kind === 'path' && /^https?:\/\//.test(source.path);
}

/** The path of a source; none for those from the network or out of the Dockerfile. */
function localPath(source: CopySource): string[] {
  if (source.kind !== 'path' || /^(?:https?|git|ssh):\/\/|^git@/.test(source.path)) return [];
  return [cleanPath(source.path)];
}
