import type { InstructionBase } from '../instruction.ts';
import type { Dockerfile } from '../parse.ts';
import type { SourceRange } from '../source.ts';
import { isWanted, type LintConfig } from './config.ts';
import { lintRule, type RuleName } from './rules.ts';

/** Something that could be better. */
export interface LintWarning {
  readonly rule: RuleName;
  readonly message: string;
  /** What the rule asks for. */
  readonly description: string;
  /** What to do. */
  readonly fix: string;
  /** Where Docker documents the rule. */
  readonly url: string;
  readonly range: SourceRange;
}

/** Collects warnings, each of them once. */
export class Report {
  readonly #config: LintConfig;
  readonly #warnings = new Map<string, LintWarning>();

  constructor(config: LintConfig) {
    this.#config = config;
  }

  /** Adds a warning about an instruction, unless its rule is switched off. */
  warn(name: RuleName, at: Pick<InstructionBase, 'range' | 'comments'>, message: string): void {
    const rule = lintRule(name);
    if (!isWanted(rule, this.#config, at.comments)) return;
    const { description, fix, url } = rule;
    const { line, column } = at.range.start;
    const key = [line, column, name, message].join('\0');
    this.#warnings.set(key, { rule: name, message, description, fix, url, range: at.range });
  }

  /** In the order of the file. */
  warnings(): LintWarning[] {
    return [...this.#warnings.values()].toSorted(
      ({ range: { start: a } }, { range: { start: b } }) => a.line - b.line || a.column - b.column,
    );
  }
}

/** What all checks look at. */
export interface LintSubject {
  readonly file: Dockerfile;
  readonly report: Report;
}
