import type { GoValue } from './go-values.ts';
import { Execution } from './template-execution.ts';
import { headerFunctions, templateFunctions } from './template-functions.ts';
import { readsField } from './template-nodes.ts';
import { type ParsedTemplates, parseTemplate } from './template-parser.ts';

/** How a template runs. */
export interface ExecuteOptions {
  /** A field that a map lacks is an error instead of `<no value>`. */
  readonly strict?: boolean;
  /** Functions leave strings alone, for the header of a table. */
  readonly header?: boolean;
}

const known: ReadonlySet<string> = new Set([...Object.keys(templateFunctions), 'and', 'or']);

/** A parsed Go template (text/template) with Docker's functions json, split, join, title, lower, upper, pad, truncate. */
export class Template {
  readonly #source: string;
  readonly #name: string;
  readonly #templates: ParsedTemplates;

  /** `name` stands in messages. Throws a TemplateSyntaxError with Go's wording. */
  constructor(source: string, name = '') {
    this.#source = source;
    this.#name = name;
    this.#templates = parseTemplate(source, { functions: known, name });
  }

  /** Tells whether the template reads this field of the value that it is given. */
  reads(field: string): boolean {
    return readsField(this.#templates.get(this.#name) ?? [], field);
  }

  /** The text for `data`. Throws a TemplateExecutionError with Go's wording. */
  execute(data: GoValue, { strict = false, header = false }: ExecuteOptions = {}): string {
    return new Execution({
      source: this.#source,
      name: this.#name,
      templates: this.#templates,
      functions: header ? headerFunctions : templateFunctions,
      strict,
    }).run(data);
  }
}
