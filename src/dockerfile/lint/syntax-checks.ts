import { goQuote } from '#/base/go-quote.ts';
import type { FromInstruction, Instruction } from '../instruction.ts';
import type { LintSubject } from './report.ts';

const reservedNames: ReadonlySet<string> = new Set(['context', 'scratch']);

/** What can be seen without knowing any variable. */
export function checkSyntax(subject: LintSubject): void {
  const { file, report } = subject;
  for (const range of file.emptyContinuations) {
    report.warn('NoEmptyContinuation', { range, comments: [] }, 'Empty continuation line');
  }
  checkCasing(subject);
  const names = new Set<string>();
  for (const { name, from, instructions } of file.stages) {
    checkFrom(from, subject);
    if (name !== undefined && reservedNames.has(name)) {
      const text = `Stage name should not use the same name as reserved stage ${goQuote(name)}`;
      report.warn('ReservedStageName', from, text);
    }
    if (name !== undefined && names.has(name)) {
      const text = `Duplicate stage name ${goQuote(name)}, stage names should be unique`;
      report.warn('DuplicateStageName', from, text);
    }
    if (name !== undefined) names.add(name);
    for (const instruction of instructions) {
      checkDescription(instruction, subject);
      if (instruction.kind === 'maintainer') {
        const text = 'Maintainer instruction is deprecated in favor of using label';
        report.warn('MaintainerDeprecated', instruction, text);
      }
    }
  }
  for (const instruction of file.metaArgs) checkDescription(instruction, subject);
}

function checkFrom(from: FromInstruction, { report }: LintSubject): void {
  const { as, stageName, keyword } = from;
  if (as === undefined || stageName === undefined) return;
  if (as.name !== stageName) {
    report.warn('StageNameCasing', from, `Stage name '${as.name}' should be lowercase`);
  }
  const casing = casingOf(keyword);
  // A keyword in mixed letters is a matter of ConsistentInstructionCasing.
  if (casing !== 'mixed' && as.keyword !== inCasing(as.keyword, casing)) {
    report.warn('FromAsCasing', from, `'${as.keyword}' and '${keyword}' keywords' casing do not match`);
  }
  checkComment(from, [stageName], report);
}

function checkDescription(instruction: Instruction, { report }: LintSubject): void {
  if (instruction.kind !== 'arg') return;
  const names = instruction.args.map(({ name }) => name);
  checkComment(instruction, names, report);
}

function checkComment(
  instruction: Instruction,
  names: readonly string[],
  report: LintSubject['report'],
): void {
  const comment = instruction.comments.at(-1);
  if (comment === undefined || names.includes(comment.split(' ', 1)[0] ?? '')) return;
  const example = names.length > 1 ? '<arg_key>' : names[0];
  const text = `Comment for ${instruction.kind.toUpperCase()} should follow the format: \`# ${example} <description>\``;
  report.warn('InvalidDefinitionDescription', instruction, text);
}

function checkCasing({ file, report }: LintSubject): void {
  const all = file.stages.flatMap(({ from, instructions }) => [from, ...instructions]);
  const count = (casing: string): number => all.filter(({ keyword }) => casingOf(keyword) === casing).length;
  const wanted = count('lower') > count('upper') ? 'lower' : 'upper';
  for (const instruction of all) {
    if (casingOf(instruction.keyword) === wanted) continue;
    const text = `Command '${instruction.keyword}' should match the case of the command majority (${wanted}case)`;
    report.warn('ConsistentInstructionCasing', instruction, text);
  }
}

function casingOf(word: string): 'lower' | 'upper' | 'mixed' {
  if (word === word.toLowerCase()) return 'lower';
  return word === word.toUpperCase() ? 'upper' : 'mixed';
}

function inCasing(word: string, casing: 'lower' | 'upper'): string {
  return casing === 'lower' ? word.toLowerCase() : word.toUpperCase();
}
