import { goQuote } from '#/base/go-quote.ts';
import { printed } from './go-print.ts';
import {
  GoDuration,
  GoNil,
  GoStruct,
  type GoValue,
  isList,
  isMap,
  isTrue,
  mapEntry,
  numberIn,
  sortedKeys,
  typeName,
} from './go-values.ts';
import { mismatch, type Parameter, type TemplateFunction } from './template-functions.ts';
import {
  type BranchNode,
  type CallNode,
  type CommandNode,
  describe,
  type IdentifierNode,
  type Node,
  type OperandNode,
  type PipeNode,
} from './template-nodes.ts';
import type { ParsedTemplates } from './template-parser.ts';

/** What a template does wrong with its data: `template: :1:2: executing "" at <.X>: map has no entry for key "X"`. */
export class TemplateExecutionError extends Error {
  override readonly name = 'TemplateExecutionError';
}

interface Scope {
  readonly dot: GoValue;
  /** The value that the template was given, `$`. */
  readonly variables: { readonly name: string; value: GoValue }[];
}

/** A call to make: how it is written, its arguments and the value that the pipeline hands on, if there is one. */
interface Call {
  readonly node: OperandNode;
  /** All of it, with the arguments; what Go shows when the function itself fails. */
  readonly whole: OperandNode | CommandNode;
  readonly args: readonly OperandNode[];
  readonly final: GoValue | undefined;
}

type Jump = 'break' | 'continue' | undefined;

/** Templates that call each other deeper than this are taken for endless. */
const maxDepth = 1000;

/** One run of a template. */
export class Execution {
  readonly #source: string;
  readonly #templates: ParsedTemplates;
  readonly #functions: Readonly<Record<string, TemplateFunction>>;
  readonly #strict: boolean;
  #out = '';
  #depth = 0;
  readonly #mainName: string;
  #name: string;

  constructor(parts: {
    source: string;
    name: string;
    templates: ParsedTemplates;
    functions: Readonly<Record<string, TemplateFunction>>;
    strict: boolean;
  }) {
    this.#source = parts.source;
    this.#mainName = parts.name;
    this.#name = parts.name;
    this.#templates = parts.templates;
    this.#functions = parts.functions;
    this.#strict = parts.strict;
  }

  run(data: GoValue): string {
    this.#walk(this.#templates.get(this.#mainName) ?? [], {
      dot: data,
      variables: [{ name: '$', value: data }],
    });
    return this.#out;
  }

  #fail(node: OperandNode | CommandNode, message: string, cause?: unknown): never {
    return this.#failAt({ position: node.position, source: describe(node) }, message, cause);
  }

  #failAt(at: { position: number; source: string }, message: string, cause?: unknown): never {
    const before = this.#source.slice(0, at.position);
    const line = before.split('\n').length;
    const column = Buffer.byteLength(before.slice(before.lastIndexOf('\n') + 1));
    const place = `template: ${this.#mainName}:${line}:${column}: executing ${goQuote(this.#name)} at <${at.source}>`;
    throw new TemplateExecutionError(`${place}: ${message}`, cause === undefined ? undefined : { cause });
  }

  #walk(nodes: readonly Node[], scope: Scope): Jump {
    for (const node of nodes) {
      switch (node.kind) {
        case 'text':
          this.#out += node.text;
          break;
        case 'action': {
          const value = this.#pipe(node.pipe, scope);
          if (node.pipe.variables.length === 0) this.#out += printed(value);
          break;
        }
        case 'break':
        case 'continue':
          return node.kind;
        case 'range': {
          this.#range(node, scope);
          break;
        }
        case 'template': {
          this.#include(node, scope);
          break;
        }
        case 'if':
        case 'with': {
          const jump = this.#branch(node, scope);
          if (jump !== undefined) return jump;
        }
      }
    }
    return undefined;
  }

  #branch(node: BranchNode, scope: Scope): Jump {
    const mark = scope.variables.length;
    const value = this.#pipe(node.pipe, scope);
    let jump: Jump;
    if (isTrue(value)) {
      jump = this.#walk(node.body, node.kind === 'with' ? { ...scope, dot: value } : scope);
    } else {
      jump = this.#walk(node.otherwise, scope);
    }
    scope.variables.length = mark;
    return jump;
  }

  #include({ name, source, position, pipe }: CallNode, scope: Scope): void {
    const template = this.#templates.get(name);
    if (template === undefined) {
      const written = `{{template ${source}${pipe === undefined ? '' : ` ${describe(pipe)}`}}}`;
      this.#failAt({ position, source: written }, `template ${goQuote(name)} not defined`);
    }
    const dot = pipe === undefined ? null : this.#pipe(pipe, scope);
    this.#depth += 1;
    if (this.#depth > maxDepth) throw new TemplateExecutionError('template: exceeded maximum template depth');
    const outer = this.#name;
    this.#name = name;
    this.#walk(template, { dot, variables: [{ name: '$', value: dot }] });
    this.#name = outer;
    this.#depth -= 1;
  }

  #range(node: BranchNode, scope: Scope): void {
    const mark = scope.variables.length;
    const value = this.#pipe({ ...node.pipe, variables: [] }, scope);
    const { variables, assigns } = node.pipe;
    const entries = this.#entries(value, node.pipe);
    for (const [key, element] of entries) {
      const bound = variables.length === 2 ? [key, element] : [element];
      for (const [index, variable] of variables.entries()) {
        const name = variable.names[0] ?? '';
        if (assigns) this.#assign(name, bound[index] ?? null, scope);
        else scope.variables.push({ name, value: bound[index] ?? null });
      }
      const jump = this.#walk(node.body, { ...scope, dot: element });
      scope.variables.length = mark;
      if (jump === 'break') break;
    }
    if (entries.length === 0) this.#walk(node.otherwise, scope);
    scope.variables.length = mark;
  }

  #entries(value: GoValue, pipe: PipeNode): (readonly [GoValue, GoValue])[] {
    if (isList(value)) return value.map((element, index) => [index, element]);
    if (value === null || (value instanceof GoNil && value.kind !== 'pointer')) return [];
    if (isMap(value)) return sortedKeys(value).map((key) => [key, value[key] ?? null]);
    if (typeof value === 'number' && Number.isInteger(value)) {
      return Array.from({ length: Math.max(0, value) }, (_none, index) => [index, index]);
    }
    return this.#fail(pipe, `range can't iterate over ${printed(value)}`);
  }

  #assign(name: string, value: GoValue, { variables }: Scope): void {
    const variable = variables.findLast((candidate) => candidate.name === name);
    if (variable === undefined) throw new TemplateExecutionError(`undefined variable: ${name}`);
    variable.value = value;
  }

  #pipe(pipe: PipeNode, scope: Scope): GoValue {
    let value: GoValue | undefined;
    for (const command of pipe.commands) value = this.#command(command, scope, value);
    const result = value ?? null;
    for (const variable of pipe.variables) {
      const name = variable.names[0] ?? '';
      if (pipe.assigns) this.#assign(name, result, scope);
      else scope.variables.push({ name, value: result });
    }
    return result;
  }

  #command(command: CommandNode, scope: Scope, final: GoValue | undefined): GoValue {
    const [node, ...args] = command.operands;
    if (node === undefined) throw new Error('a command is never empty');
    switch (node.kind) {
      case 'identifier':
        return this.#call(node, { node, whole: command, args, final }, scope);
      case 'field':
        return this.#fields(scope.dot, node.names, { call: { node, whole: node, args, final }, scope });
      case 'chain': {
        const start = this.#operand(node.node, scope);
        return this.#fields(start, node.names, { call: { node, whole: node, args, final }, scope });
      }
      case 'variable': {
        const value = this.#variable(node.names[0] ?? '', scope);
        const names = node.names.slice(1);
        if (names.length > 0)
          return this.#fields(value, names, { call: { node, whole: node, args, final }, scope });
        this.#notAFunction(node, args.length > 0 || final !== undefined);
        return value;
      }
      case 'nil':
        this.#notAFunction(node, args.length > 0 || final !== undefined);
        return this.#fail(node, 'nil is not a command');
      case 'bool':
      case 'number':
      case 'string':
      case 'dot':
      case 'pipe':
        this.#notAFunction(node, args.length > 0 || final !== undefined);
        return this.#operand(node, scope);
    }
  }

  #notAFunction(node: OperandNode, given: boolean): void {
    if (given) this.#fail(node, `can't give argument to non-function ${describe(node)}`);
  }

  #variable(name: string, { variables }: Scope): GoValue {
    return variables.findLast((variable) => variable.name === name)?.value ?? null;
  }

  #operand(node: OperandNode, scope: Scope): GoValue {
    switch (node.kind) {
      case 'dot':
        return scope.dot;
      case 'nil':
        return null;
      case 'bool':
      case 'number':
      case 'string':
        return node.value;
      case 'pipe':
        return this.#pipe(node, scope);
      case 'field':
      case 'variable':
      case 'chain':
      case 'identifier':
        return this.#command(
          { kind: 'command', operands: [node], position: node.position },
          scope,
          undefined,
        );
    }
  }

  /** Follows `.A.B`; only the last name takes the arguments. */
  #fields(start: GoValue, names: readonly string[], { call, scope }: { call: Call; scope: Scope }): GoValue {
    let value = start;
    for (const [index, name] of names.entries()) {
      const last = index === names.length - 1;
      value = this.#field(value, name, {
        call: last ? call : { ...call, args: [], final: undefined },
        scope,
      });
    }
    return value;
  }

  #field(receiver: GoValue, name: string, { call, scope }: { call: Call; scope: Scope }): GoValue {
    const { node, args, final } = call;
    if (receiver === null) {
      if (this.#strict) this.#fail(node, `nil data; no entry for key ${goQuote(name)}`);
      return null;
    }
    const given = args.length > 0 || final !== undefined;
    if (receiver instanceof GoStruct) {
      const method = receiver.method(name);
      if (method !== undefined) return this.#invoke(name, method, { call, scope });
      const value = receiver.get(name);
      if (value !== undefined) {
        if (given) this.#fail(node, `${name} has arguments but cannot be invoked as function`);
        return value;
      }
    } else if (isMap(receiver) || (receiver instanceof GoNil && receiver.kind === 'map')) {
      if (given) this.#fail(node, `${name} is not a method but has arguments`);
      const value = isMap(receiver) ? mapEntry(receiver, name) : undefined;
      if (value === undefined && this.#strict) this.#fail(node, `map has no entry for key ${goQuote(name)}`);
      return value ?? null;
    } else if (receiver instanceof GoNil && receiver.kind === 'pointer') {
      this.#fail(node, `nil pointer evaluating ${receiver.type}.${name}`);
    }
    return this.#fail(node, `can't evaluate field ${name} in type ${this.#receiverType(receiver)}`);
  }

  /** Values inside decoded JSON have the static type interface {}. */
  #receiverType(receiver: GoValue): string {
    return this.#strict ? 'interface {}' : typeName(receiver);
  }

  #call(node: IdentifierNode, call: Call, scope: Scope): GoValue {
    if (node.name === 'and' || node.name === 'or') return this.#shortCircuit(node.name, call, scope);
    const fn = Object.hasOwn(this.#functions, node.name) ? this.#functions[node.name] : undefined;
    if (fn === undefined) return this.#fail(node, `${goQuote(node.name)} is not a defined function`);
    return this.#invoke(node.name, fn, { call, scope });
  }

  #shortCircuit(name: 'and' | 'or', { node, args, final }: Call, scope: Scope): GoValue {
    if (args.length === 0 && final === undefined) {
      this.#fail(node, `wrong number of args for ${name}: want at least 1 got 0`);
    }
    let value: GoValue = null;
    for (const arg of args) {
      value = this.#operand(arg, scope);
      if (isTrue(value) === (name === 'or')) return value;
    }
    return final ?? value;
  }

  #invoke(
    name: string,
    fn: Pick<TemplateFunction, 'params' | 'variadic' | 'call'>,
    { call, scope }: { call: Call; scope: Scope },
  ): GoValue {
    const { node, whole, args, final } = call;
    const count = args.length + (final === undefined ? 0 : 1);
    const fixed = fn.params.length - (fn.variadic === true ? 1 : 0);
    if (fn.variadic === true && count < fixed) {
      this.#fail(node, `wrong number of args for ${name}: want at least ${fixed} got ${count}`);
    }
    if (fn.variadic !== true && count !== fixed) {
      this.#fail(node, `wrong number of args for ${name}: want ${fixed} got ${count}`);
    }
    const parameter = (index: number): Parameter => fn.params[Math.min(index, fn.params.length - 1)] ?? 'any';
    const values = args.map((arg, index) => this.#argument(arg, parameter(index), scope));
    if (final !== undefined) {
      this.#check(node, final, parameter(values.length));
      values.push(final);
    }
    try {
      return fn.call(values);
    } catch (error) {
      if (error instanceof TemplateExecutionError || !(error instanceof Error)) throw error;
      return this.#fail(whole, `error calling ${name}: ${error.message}`, error);
    }
  }

  #argument(node: OperandNode, parameter: Parameter, scope: Scope): GoValue {
    const constant = node.kind === 'bool' || node.kind === 'number' || node.kind === 'string';
    if (constant && parameter === 'string' && node.kind !== 'string') {
      this.#fail(node, `expected string; found ${describe(node)}`);
    }
    if (constant && parameter === 'int' && node.kind !== 'number') {
      this.#fail(node, `expected integer; found ${describe(node)}`);
    }
    if (constant && parameter === 'strings') {
      this.#fail(node, `can't handle ${describe(node)} for arg of type []string`);
    }
    if (node.kind === 'nil' && parameter !== 'any') this.#fail(node, `cannot assign nil to ${parameter}`);
    const value = this.#operand(node, scope);
    this.#check(node, value, parameter);
    return value;
  }

  #check(node: OperandNode, value: GoValue, parameter: Parameter): void {
    const wrong = mismatch(value instanceof GoDuration ? Number(numberIn(value)) : value, parameter);
    if (wrong === undefined) return;
    if (value === null) this.#fail(node, `invalid value; ${wrong.replace(/; got .*/, '')}`);
    this.#fail(node, `wrong type for value; ${wrong}`);
  }
}
