import { goQuote, goUnquote } from '#/base/go-quote.ts';
import { parseGoNumber } from './go-numbers.ts';
import { type Token, tokenize } from './template-lexer.ts';
import type {
  BranchNode,
  CommandNode,
  ConstantNode,
  Node,
  OperandNode,
  PipeNode,
  VariableNode,
} from './template-nodes.ts';

/** The templates of one source text by name. */
export type ParsedTemplates = ReadonlyMap<string, readonly Node[]>;

/** A mistake in a template, worded as Go words it: `template: :1: unclosed action`. */
export class TemplateSyntaxError extends Error {
  override readonly name = 'TemplateSyntaxError';
}

/** Parses a template that may call `functions`. Throws a TemplateSyntaxError. */
export function parseTemplate(
  source: string,
  options: { functions: ReadonlySet<string>; name: string },
): ParsedTemplates {
  return new Parser(source, options).run();
}

type ElseClause = { readonly kind: 'else'; readonly branch?: string };
type Clause = { readonly kind: 'end' } | ElseClause;

/** A token the way Go shows it in messages. */
function shown(token: Token): string {
  if (token.kind === 'eof') return 'EOF';
  if (token.kind === 'error') return token.text;
  if (token.kind === 'keyword' || token.kind === 'dot') return `<${token.text}>`;
  if (token.text.length > 10) return `${goQuote(token.text.slice(0, 10))}...`;
  return goQuote(token.text);
}

const operandKinds: ReadonlySet<string> = new Set([
  'bool',
  'charConstant',
  'dot',
  'field',
  'identifier',
  'number',
  'rawString',
  'string',
  'variable',
  'leftParen',
]);

class Parser {
  readonly #tokens: readonly Token[];
  readonly #functions: ReadonlySet<string>;
  readonly #name: string;
  readonly #templates = new Map<string, readonly Node[]>();
  #at = 0;
  /** Line of the token that was read last, as Go counts it. */
  #line = 1;
  #actionLine = 0;
  #variables: string[] = ['$'];
  #loops = 0;

  constructor(source: string, { functions, name }: { functions: ReadonlySet<string>; name: string }) {
    this.#tokens = tokenize(source);
    this.#functions = functions;
    this.#name = name;
  }

  run(): ParsedTemplates {
    const main: Node[] = [];
    while (this.#peek().kind !== 'eof') {
      if (this.#atDefine()) {
        this.#define();
        continue;
      }
      const node = this.#textOrAction();
      if (node.kind === 'end' || node.kind === 'else') this.#fail(`unexpected {{${node.kind}}}`);
      else main.push(node);
    }
    this.#templates.set(this.#name, main);
    return this.#templates;
  }

  #peek(): Token {
    const token = this.#tokens[Math.min(this.#at, this.#tokens.length - 1)];
    if (token === undefined) throw new Error('a token list is never empty');
    this.#line = token.line;
    return token;
  }

  #next(): Token {
    const token = this.#peek();
    this.#at += 1;
    return token;
  }

  #peekWord(): Token {
    while (this.#peek().kind === 'space') this.#at += 1;
    return this.#peek();
  }

  #nextWord(): Token {
    this.#peekWord();
    return this.#next();
  }

  #fail(message: string): never {
    throw new TemplateSyntaxError(`template: ${this.#name}:${this.#line}: ${message}`);
  }

  #unexpected(token: Token, context: string): never {
    if (token.kind !== 'error') this.#fail(`unexpected ${shown(token)} in ${context}`);
    let extra = '';
    if (this.#actionLine !== 0 && this.#actionLine !== token.line) {
      extra = ` in action started at ${this.#name}:${this.#actionLine}`;
      if (token.text.endsWith(' action')) extra = extra.slice(' in action'.length);
    }
    return this.#fail(token.text + extra);
  }

  #expect(kind: Token['kind'], context: string): Token {
    const token = this.#nextWord();
    if (token.kind !== kind) this.#unexpected(token, context);
    return token;
  }

  #atDefine(): boolean {
    if (this.#peek().kind !== 'leftDelim') return false;
    let ahead = this.#at + 1;
    while (this.#tokens[ahead]?.kind === 'space') ahead += 1;
    const token = this.#tokens[ahead];
    if (token?.kind !== 'keyword' || token.text !== 'define') return false;
    this.#at = ahead + 1;
    return true;
  }

  #define(): void {
    const { name } = this.#templateName('define clause');
    this.#expect('rightDelim', 'define clause');
    const { nodes, clause } = this.#list();
    if (clause.kind !== 'end') this.#fail(`unexpected {{${clause.kind}}} in define clause`);
    this.#templates.set(name, nodes);
  }

  #templateName(context: string): { name: string; source: string; position: number } {
    const token = this.#nextWord();
    if (token.kind !== 'string' && token.kind !== 'rawString') this.#unexpected(token, context);
    return { name: this.#unquote(token), source: token.text, position: token.position };
  }

  #unquote(token: Token): string {
    const text = goUnquote(token.text);
    return text ?? this.#fail('invalid syntax');
  }

  #list(): { nodes: Node[]; clause: Clause } {
    const nodes: Node[] = [];
    while (this.#peek().kind !== 'eof') {
      const node = this.#textOrAction();
      if (node.kind === 'end' || node.kind === 'else') return { nodes, clause: node };
      nodes.push(node);
    }
    return this.#fail('unexpected EOF');
  }

  #textOrAction(): Node | Clause {
    const token = this.#nextWord();
    if (token.kind === 'text') return { kind: 'text', text: token.text, position: token.position };
    if (token.kind !== 'leftDelim') this.#unexpected(token, 'input');
    this.#actionLine = token.line;
    const node = this.#action();
    this.#actionLine = 0;
    return node;
  }

  #action(): Node | Clause {
    const word = this.#peekWord();
    if (word.kind === 'keyword' && word.text !== 'nil') {
      this.#next();
      return this.#keyword(word);
    }
    return { kind: 'action', pipe: this.#pipeline('command', 'rightDelim'), position: word.position };
  }

  #keyword({ text, position }: Token): Node | Clause {
    switch (text) {
      case 'if':
      case 'with':
      case 'range':
        return this.#branch(text, position);
      case 'else':
        return this.#else();
      case 'end':
        this.#expect('rightDelim', 'end');
        return { kind: 'end' };
      case 'break':
      case 'continue': {
        const token = this.#nextWord();
        if (token.kind !== 'rightDelim') this.#unexpected(token, `{{${text}}}`);
        if (this.#loops === 0) this.#fail(`{{${text}}} outside {{range}}`);
        return { kind: text, position };
      }
      case 'template': {
        const named = this.#templateName('template clause');
        if (this.#peekWord().kind !== 'rightDelim') {
          return { kind: 'template', ...named, pipe: this.#pipeline('template clause', 'rightDelim') };
        }
        this.#nextWord();
        return { kind: 'template', ...named, pipe: undefined };
      }
      case 'block': {
        const named = this.#templateName('block clause');
        const pipe = this.#pipeline('block clause', 'rightDelim');
        const { nodes, clause } = this.#list();
        if (clause.kind !== 'end') this.#fail(`unexpected {{${clause.kind}}} in block clause`);
        this.#templates.set(named.name, nodes);
        return { kind: 'template', ...named, pipe };
      }
      default:
        return this.#fail(`unexpected <${text}> in command`);
    }
  }

  #else(): Clause {
    const word = this.#peekWord();
    if (word.kind === 'keyword' && (word.text === 'if' || word.text === 'with')) {
      return { kind: 'else', branch: word.text };
    }
    this.#expect('rightDelim', 'else');
    return { kind: 'else' };
  }

  #branch(kind: BranchNode['kind'], position: number): BranchNode {
    const scope = this.#variables.length;
    const pipe = this.#pipeline(kind, 'rightDelim');
    if (kind === 'range') this.#loops += 1;
    const { nodes: body, clause } = this.#list();
    if (kind === 'range') this.#loops -= 1;
    const otherwise = clause.kind === 'else' ? this.#otherwise(kind, clause) : [];
    this.#variables.length = scope;
    return { kind, pipe, body, otherwise, position };
  }

  #otherwise(kind: BranchNode['kind'], clause: ElseClause): Node[] {
    if (clause.branch !== undefined && clause.branch === kind) {
      const token = this.#next();
      return [this.#branch(kind, token.position)];
    }
    // Go accepts `{{else if}}` only in an if and `{{else with}}` only in a with.
    if (clause.branch !== undefined) this.#unexpected(this.#nextWord(), 'input');
    const { nodes, clause: last } = this.#list();
    if (last.kind !== 'end') this.#fail(`expected end; found {{${last.kind}}}`);
    return nodes;
  }

  #pipeline(context: string, end: 'rightDelim' | 'rightParen'): PipeNode {
    const { position } = this.#peekWord();
    const { variables, assigns } = this.#declarations(context);
    const commands: CommandNode[] = [];
    for (;;) {
      const token = this.#peekWord();
      if (token.kind === end) {
        this.#next();
        break;
      }
      const isOperand = operandKinds.has(token.kind) || (token.kind === 'keyword' && token.text === 'nil');
      if (!isOperand) this.#unexpected(token, context);
      commands.push(this.#command());
    }
    if (commands.length === 0) this.#fail(`missing value for ${context}`);
    for (const [index, command] of commands.entries()) {
      const first = command.operands[0]?.kind ?? 'dot';
      if (index > 0 && ['bool', 'dot', 'nil', 'number', 'string'].includes(first)) {
        this.#fail(`non executable command in pipeline stage ${index + 1}`);
      }
    }
    return { kind: 'pipe', variables, assigns, commands, position };
  }

  #declarations(context: string): { variables: VariableNode[]; assigns: boolean } {
    const variables: VariableNode[] = [];
    for (;;) {
      const start = this.#at;
      const variable = this.#peekWord();
      if (variable.kind !== 'variable') return { variables, assigns: false };
      this.#next();
      const next = this.#peekWord();
      const node: VariableNode = { kind: 'variable', names: [variable.text], position: variable.position };
      if (next.kind === 'assign' || next.kind === 'declare') {
        this.#next();
        this.#variables.push(variable.text);
        return { variables: [...variables, node], assigns: next.kind === 'assign' };
      }
      if (next.kind !== 'char' || next.text !== ',') {
        this.#at = start;
        return { variables, assigns: false };
      }
      this.#next();
      this.#variables.push(variable.text);
      variables.push(node);
      if (context !== 'range' || variables.length > 1) this.#fail(`too many declarations in ${context}`);
      if (!['variable', 'rightDelim', 'rightParen'].includes(this.#peekWord().kind)) {
        this.#fail('range can only initialize variables');
      }
    }
  }

  #command(): CommandNode {
    const operands: OperandNode[] = [];
    const { position } = this.#peekWord();
    for (;;) {
      this.#peekWord();
      const operand = this.#operand();
      if (operand !== undefined) operands.push(operand);
      const token = this.#peek();
      if (token.kind === 'rightDelim' || token.kind === 'rightParen') break;
      this.#next();
      if (token.kind === 'pipe') break;
      if (token.kind !== 'space') this.#unexpected(token, 'operand');
    }
    if (operands.length === 0) this.#fail('empty command');
    return { kind: 'command', operands, position };
  }

  #operand(): OperandNode | undefined {
    const term = this.#term();
    if (term === undefined || this.#peek().kind !== 'field') return term;
    const { position } = this.#peek();
    const names: string[] = [];
    while (this.#peek().kind === 'field') names.push(this.#next().text.slice(1));
    switch (term.kind) {
      case 'field':
      case 'variable':
        return { kind: term.kind, names: [...term.names, ...names], position };
      case 'bool':
      case 'string':
      case 'number':
        return this.#fail(`unexpected . after term ${goQuote(term.source)}`);
      case 'nil':
      case 'dot':
        return this.#fail(`unexpected . after term ${goQuote(term.kind === 'dot' ? '.' : 'nil')}`);
      case 'chain':
      case 'identifier':
      case 'pipe':
        return { kind: 'chain', node: term, names, position };
    }
  }

  #term(): OperandNode | undefined {
    const token = this.#peekWord();
    const { position, text } = token;
    if (!operandKinds.has(token.kind) && !(token.kind === 'keyword' && text === 'nil')) return undefined;
    this.#next();
    const kind: string = token.kind;
    switch (kind) {
      case 'identifier':
        if (!this.#functions.has(text)) this.#fail(`function ${goQuote(text)} not defined`);
        return { kind: 'identifier', name: text, position };
      case 'dot':
        return { kind: 'dot', position };
      case 'keyword':
        return { kind: 'nil', position };
      case 'variable':
        if (!this.#variables.includes(text)) this.#fail(`undefined variable ${goQuote(text)}`);
        return { kind: 'variable', names: [text], position };
      case 'field':
        return { kind: 'field', names: [text.slice(1)], position };
      case 'bool':
        return { kind: 'bool', source: text, value: text === 'true', position };
      case 'leftParen':
        return this.#pipeline('parenthesized pipeline', 'rightParen');
      case 'string':
      case 'rawString':
        return { kind: 'string', source: text, value: this.#unquote(token), position };
      default:
        return this.#number(token);
    }
  }

  #number({ kind, text, position }: Token): ConstantNode {
    const value = kind === 'charConstant' ? goUnquote(text)?.codePointAt(0) : parseGoNumber(text);
    if (value !== undefined) return { kind: 'number', source: text, value, position };
    if (kind === 'charConstant') this.#fail(`malformed character constant: ${text}`);
    return this.#fail(`illegal number syntax: ${goQuote(text)}`);
  }
}
