/** The syntax tree of a template, and how Go prints its parts in messages. */

import type { GoFloat } from './go-values.ts';

interface At {
  /** Offset into the template in UTF-16 units. */
  readonly position: number;
}

/** `.A.B` */
interface FieldNode extends At {
  readonly kind: 'field';
  readonly names: readonly string[];
}

/** `$x.A.B`; the first name has its dollar sign. */
export interface VariableNode extends At {
  readonly kind: 'variable';
  readonly names: readonly string[];
}

/** `(pipeline).A.B` */
interface ChainNode extends At {
  readonly kind: 'chain';
  readonly node: OperandNode;
  readonly names: readonly string[];
}

/** The name of a function. */
export interface IdentifierNode extends At {
  readonly kind: 'identifier';
  readonly name: string;
}

/** A constant, with its source text. */
export interface ConstantNode extends At {
  readonly kind: 'bool' | 'number' | 'string';
  readonly source: string;
  readonly value: boolean | number | bigint | string | GoFloat;
}

/** `.` or `nil` */
interface WordNode extends At {
  readonly kind: 'dot' | 'nil';
}

/** A function or method with its arguments, or a single operand. */
export interface CommandNode extends At {
  readonly kind: 'command';
  readonly operands: readonly OperandNode[];
}

/** `$a, $b := command | command` */
export interface PipeNode extends At {
  readonly kind: 'pipe';
  readonly variables: readonly VariableNode[];
  /** Sets existing variables (`=`) instead of making new ones (`:=`). */
  readonly assigns: boolean;
  readonly commands: readonly CommandNode[];
}

/** Whatever can be an argument. */
export type OperandNode =
  | FieldNode
  | VariableNode
  | ChainNode
  | IdentifierNode
  | ConstantNode
  | WordNode
  | PipeNode;

/** Text to copy. */
interface TextNode extends At {
  readonly kind: 'text';
  readonly text: string;
}

/** `{{pipeline}}` */
interface ActionNode extends At {
  readonly kind: 'action';
  readonly pipe: PipeNode;
}

/** `{{if}}`, `{{with}}` or `{{range}}`. */
export interface BranchNode extends At {
  readonly kind: 'if' | 'with' | 'range';
  readonly pipe: PipeNode;
  readonly body: readonly Node[];
  readonly otherwise: readonly Node[];
}

/** `{{break}}` or `{{continue}}`. */
interface JumpNode extends At {
  readonly kind: 'break' | 'continue';
}

/** `{{template "name" pipeline}}` */
export interface CallNode extends At {
  readonly kind: 'template';
  readonly name: string;
  /** The name as it is written, with its quotes. */
  readonly source: string;
  readonly pipe: PipeNode | undefined;
}

/** One element of a template's body. */
export type Node = TextNode | ActionNode | BranchNode | JumpNode | CallNode;

/** An operand or command as Go writes it in error messages. */
export function describe(node: OperandNode | CommandNode): string {
  switch (node.kind) {
    case 'field':
      return node.names.map((name) => `.${name}`).join('');
    case 'variable':
      return node.names.join('.');
    case 'chain': {
      const inner = node.node.kind === 'pipe' ? `(${describe(node.node)})` : describe(node.node);
      return inner + node.names.map((name) => `.${name}`).join('');
    }
    case 'identifier':
      return node.name;
    case 'bool':
    case 'number':
    case 'string':
      return node.source;
    case 'dot':
      return '.';
    case 'nil':
      return 'nil';
    case 'command':
      return node.operands
        .map((operand) => (operand.kind === 'pipe' ? `(${describe(operand)})` : describe(operand)))
        .join(' ');
    case 'pipe': {
      const names = node.variables.map((variable) => variable.names.join('.')).join(', ');
      const start = names === '' ? '' : `${names} ${node.assigns ? '=' : ':='} `;
      return start + node.commands.map(describe).join(' | ');
    }
  }
}

/** Tells whether a template reads the given field of its top-level value anywhere, `.Size` for example. */
export function readsField(nodes: readonly Node[], name: string): boolean {
  const inOperand = (node: OperandNode | CommandNode): boolean => {
    switch (node.kind) {
      case 'field':
        return node.names[0] === name;
      case 'variable':
        return node.names[0] === '$' && node.names[1] === name;
      case 'chain':
        return inOperand(node.node);
      case 'command':
        return node.operands.some(inOperand);
      case 'pipe':
        return node.commands.some(inOperand);
      case 'identifier':
      case 'bool':
      case 'number':
      case 'string':
      case 'dot':
      case 'nil':
        return false;
    }
  };
  return nodes.some((node) => {
    switch (node.kind) {
      case 'action':
        return inOperand(node.pipe);
      case 'if':
      case 'with':
      case 'range':
        return inOperand(node.pipe) || readsField(node.body, name) || readsField(node.otherwise, name);
      case 'template':
        return node.pipe !== undefined && inOperand(node.pipe);
      case 'text':
      case 'break':
      case 'continue':
        return false;
    }
  });
}
