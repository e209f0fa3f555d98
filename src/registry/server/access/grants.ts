import { invalid } from '#/base/errors.ts';
import type { RuleVerb } from './rules.ts';

/** What a token lets its bearer do to one thing; one member of the claim `access` (Docker's "Token Scope Documentation"). */
export interface Grant {
  /** `repository` or `registry`. */
  readonly type: string;
  /** Of the repository, or `catalog`. */
  readonly name: string;
  readonly actions: readonly string[];
}

const maxScopes = 64;
const maxText = 4096;

/**
 * The scopes that a client asks a token service for: `repository:team/app:pull,push`, `registry:catalog:*`, several
 * separated by spaces. Throws `invalid`.
 */
export function parseScopes(texts: readonly string[]): readonly Grant[] {
  const scopes = texts.flatMap((text) => text.split(' ')).filter((text) => text !== '');
  if (scopes.length > maxScopes) throw invalid(`more than ${maxScopes} scopes at once`);
  return scopes.map((scope) => {
    // A class may stand behind the type: repository(plugin).
    const [, type, name, actions] = /^([a-z]+)(?:\([a-z]+\))?:(.+):([a-z,*]*)$/s.exec(scope) ?? [];
    if (scope.length > maxText || type === undefined || name === undefined || actions === undefined) {
      throw invalid(
        `${JSON.stringify(scope.slice(0, 100))} is no scope; it is like repository:team/app:pull,push`,
      );
    }
    return { type, name, actions: [...new Set(actions.split(',').filter((action) => action !== ''))] };
  });
}

/** The scope as a challenge has it. */
export function formatScope({ type, name, actions }: Grant): string {
  return `${type}:${name}:${actions.join(',')}`;
}

/** The claim `access` of a token; a token without it grants nothing. Throws `invalid`. */
export function parseAccessClaim(claim: unknown): readonly Grant[] {
  if (claim === undefined || claim === null) return [];
  if (!Array.isArray(claim)) throw invalid('the claim "access" is no list');
  return claim.map((member: unknown) => {
    const { type, name, actions } = typeof member === 'object' && member !== null ? fieldsOf(member) : {};
    const fine =
      typeof type === 'string' &&
      typeof name === 'string' &&
      Array.isArray(actions) &&
      actions.every((action): action is string => typeof action === 'string');
    if (!fine) throw invalid('the claim "access" has a member without type, name and actions');
    return { type, name, actions };
  });
}

function fieldsOf(object: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object));
}

/** Actions of Docker's scopes, any of which lets one do the verb. */
const actionsFor: Readonly<Record<RuleVerb, readonly string[]>> = {
  pull: ['pull', '*'],
  push: ['push', '*'],
  delete: ['delete', '*'],
  // Whoever can pull from a repository can see its tags at every registry.
  list: ['pull', 'list', '*'],
};

/** Whether one of the grants lets one do `verb` to the repository. */
export function grantsVerb(grants: readonly Grant[], verb: RuleVerb, repository: string): boolean {
  return grants.some(
    ({ type, name, actions }) =>
      type === 'repository' &&
      name === repository &&
      actions.some((action) => actionsFor[verb].includes(action)),
  );
}

/** Whether the grants let one see the whole catalog (less what rules hide). */
export function grantsCatalog(grants: readonly Grant[]): boolean {
  return grants.some(
    ({ type, name, actions }) => type === 'registry' && name === 'catalog' && actions.includes('*'),
  );
}
